"""Exporters that are or were held back: encoders of their own, editors and wrappers, and how each is run."""
