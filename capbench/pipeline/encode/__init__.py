"""Writing: encoders, files, and the colour tags. Reading lives in `decode`."""
