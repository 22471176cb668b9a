"""Where the sources of cases come from besides files: corpora, downloads, footage."""
