"""Writing: encoders, files, and the tags that say what was done."""
