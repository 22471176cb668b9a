"""Decisions: each module reads measurements and says what passes, what fails and what does not apply.

Nothing here measures.
"""
