"""Hold pictures against truth: the oracle, quality metrics, integrity of a file, and the verdict on an output."""
