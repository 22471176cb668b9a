"""The runner's side of a fleet: which machine makes which block, what it is sent, and what becomes of lost ones."""
