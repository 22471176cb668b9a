"""Verdicts over several machines: each machine's own, their mean, and what tells those apart that disagree."""
