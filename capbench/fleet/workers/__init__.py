"""What runs on a machine of a fleet: its report, its lock, the content it was sent, and the blocks that it makes."""
