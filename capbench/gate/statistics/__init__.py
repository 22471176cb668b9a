"""Tests, estimates and intervals for one series of numbers; what a figure of an export is, lives in `verdicts`."""
