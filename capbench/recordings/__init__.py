"""Synthetic screen recordings with marks that a machine reads back: seeded, cached, made once."""

from capbench.recordings.cache import cache_folder, cached_path, make_recording
from capbench.recordings.spec import STANDARD_RECORDINGS, RecordingSpec

__all__ = ["STANDARD_RECORDINGS", "RecordingSpec", "cache_folder", "cached_path", "make_recording"]
