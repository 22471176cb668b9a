"""The specimens, one module for each place that defects are injected into; importing one registers its specimens."""

from capbench.selftest.specimens import colour, files, frames, layout, performance, pipeline, shaders, sound, times

__all__ = ["colour", "files", "frames", "layout", "performance", "pipeline", "shaders", "sound", "times"]
