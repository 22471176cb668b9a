"""Effects measured from the picture."""
