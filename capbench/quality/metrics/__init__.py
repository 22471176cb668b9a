"""Figures of pairs of pictures and of sound. Nothing here decides; that is done in `checks`."""
