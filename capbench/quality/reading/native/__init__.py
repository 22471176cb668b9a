"""Pictures at their own depth and in their own chroma, where either is more than 8-bit 4:2:0 holds."""
