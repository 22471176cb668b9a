"""The specimens, one module a family; importing a module registers what is in it."""

from capbench.selftest.specimens import colour, files, frames, layout, performance, sound, times

__all__ = ["colour", "files", "frames", "layout", "performance", "sound", "times"]
