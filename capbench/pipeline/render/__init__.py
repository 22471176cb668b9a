"""The render thread: upload, composite, convert, read back, and going on where a device is lost.

Its passes live in `compositor`.
"""
