"""The verbs of `capbench fleet`: machines, the scheduler between them, certificates."""
