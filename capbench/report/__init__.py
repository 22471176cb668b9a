"""What people look at: the table on the terminal, the HTML page, and the same data in other forms."""
