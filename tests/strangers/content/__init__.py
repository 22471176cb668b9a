"""Kinds of content for drawn clips: pictures by Pillow and NumPy, sources of FFmpeg, and sounds."""
