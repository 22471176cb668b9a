"""How an output should look where no picture of it can be drawn, and what was found of that in its pictures."""
