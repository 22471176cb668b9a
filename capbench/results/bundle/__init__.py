"""Results that are sent to others: figures without names of people, places and machines, in one file."""
