"""Seeded mutation of everything that a user hands to capbench, each input in a process with limits."""
