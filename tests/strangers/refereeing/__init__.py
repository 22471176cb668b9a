"""Opinions on an output that owe nothing to capbench."""
