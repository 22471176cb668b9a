"""The HTML page and its layout. Single charts live in `charts`, other formats in `formats`."""
