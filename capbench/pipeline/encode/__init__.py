"""Writing: encoders, files, and the tags that say what was done. Reading lives in `decode`."""
