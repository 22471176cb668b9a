"""Interim looks at a run that still grows, within the gate's error; single comparisons live in `verdicts`."""
