"""Figures over many runs: committed baselines, series and steps. Comparing two runs lives in `verdicts`."""
