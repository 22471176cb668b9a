"""Reading: what a source is, its frames, its sound, and when they are shown."""
