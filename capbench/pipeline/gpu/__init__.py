"""The device, and what goes up to it and comes back. What is computed on it lives in `compositor` and `conversion`."""
