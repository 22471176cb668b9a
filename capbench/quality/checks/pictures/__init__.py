"""Decisions on the pictures themselves: how good, where not, and which frames stand out."""
