"""Validation of an output: the oracle, quality metrics, checks of pictures, sound and file, and the result."""
