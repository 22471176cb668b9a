"""The HTML page: what stands where. Single charts live in `charts`, other formats in `formats`."""
