"""Decisions: each module reads evidence and says what passes, what fails and what does not apply."""
