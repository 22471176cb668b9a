"""Verbs around a measurement, and what they share: checking a matrix, trying commands, showing what was found."""
