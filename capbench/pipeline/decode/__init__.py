"""Reading a source: what it is, its pictures, its sound, and when they are shown. Writing lives in `encode`."""
