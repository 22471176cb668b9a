"""Figures of pairs of pictures and of sound; nothing here decides."""
