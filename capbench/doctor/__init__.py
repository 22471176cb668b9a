"""What this machine can do, found out by trying, and what would mend what it cannot."""
