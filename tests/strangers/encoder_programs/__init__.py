"""Exporters that are held back: encoders of their own, editors and wrappers, and how each is run."""
