"""Validation spread over a fleet: parts of an output measured by machines that have nothing to time."""
