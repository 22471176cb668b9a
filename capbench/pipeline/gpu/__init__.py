"""The GPU device of an export: what goes up, and what comes back."""
