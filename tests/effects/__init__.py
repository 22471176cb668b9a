"""Looks whose parameters are known, drawn by us and by others, and what the meters of effects make of them."""
