"""The specimens, one module for each place that defects are planted in; importing a module registers what is in it."""

from capbench.selftest.specimens import colour, files, frames, layout, performance, pipeline, shaders, sound, times

__all__ = ["colour", "files", "frames", "layout", "performance", "pipeline", "shaders", "sound", "times"]
