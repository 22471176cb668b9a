"""Deciding while a run still grows, without spending the gate's error twice; single comparisons live in `verdicts`."""
