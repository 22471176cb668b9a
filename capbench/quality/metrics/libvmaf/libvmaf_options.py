"""What FFmpeg's filter libvmaf is told: models by the height of the picture, features, threads."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

__all__ = ["LIBVMAF_METRICS", "filter_options", "filter_text", "model_of", "too_small"]

LIBVMAF_METRICS = ("vmaf", "vmaf_neg", "cambi", "psnr_hvs")
"""Metrics that libvmaf computes, by their names in the registry and in its log.

Its CIEDE2000 is left out: 20 times as slow as VMAF, and the patches and worst frames have it.
"""
_MODELS = {"vmaf": ("vmaf_v0.6.1", "vmaf_4k_v0.6.1"), "vmaf_neg": ("vmaf_v0.6.1neg", "vmaf_4k_v0.6.1neg")}
"""Metric to its model for a screen of 1080 lines and for one of 2160 lines."""
_LINES_OF_4K = 2160
_SMALLEST_SIDE_PX = 32
"""Pictures of 16x16 pixels end libvmaf 3 with a segmentation fault, 32x32 are measured."""
_CAMBI_LONGEST_SIDE_PX = 216
"""libvmaf refuses CAMBI where both sides are shorter (cambi.c, CAMBI_MIN_WIDTH_HEIGHT), and VMAF with it."""
_MOST_THREADS = 16
"""The decoders cannot feed more."""
_THREAD_BYTES_PER_PX = 73
"""What a thread holds for VMAF and NEG: 24 pairs of 4K took 1.16 GB with 1 thread, 1.90 with 2, 5.45 with 8."""
_MOST_THREAD_BYTES = 5 * 2**28
"""Of all threads: 2 at 4K, 8 at 1080p. Several validations run side by side, and more would not fit beside them."""


def model_of(name: str, height: int) -> str | None:
    """Model of a metric for pictures that many lines high; None for one that has no model.

    The models were trained on a screen of 1080 lines seen from three times its height, and on one of 2160 lines seen
    from one and a half (Netflix/vmaf, resource/doc/models_v0.md). Smaller pictures take the first one, unscaled.
    """
    models = _MODELS.get(name)
    return None if models is None else models[height >= _LINES_OF_4K]


def too_small(name: str, width: int, height: int) -> str | None:
    """Why pictures of that size in pixels cannot be measured; None where they can."""
    if min(width, height) < _SMALLEST_SIDE_PX:
        return f"pictures of {width}x{height} are too small for libvmaf, which needs {_SMALLEST_SIDE_PX} pixels a side"
    if name == "cambi" and max(width, height) < _CAMBI_LONGEST_SIDE_PX:
        return f"pictures of {width}x{height} are too small for CAMBI: one side needs {_CAMBI_LONGEST_SIDE_PX} pixels"
    return None


def filter_options(
    names: Collection[str], width: int, height: int, log_path: str, threads: int | None = None
) -> dict[str, str]:
    """Options of the filter for these metrics of pictures of that size in pixels; one JSON object a frame.

    The filter computes VMAF even where only a feature is asked for. `threads` is the most that it is given, None for
    what the machine has; its figures do not depend on them.
    """
    with_model = [name for name in _MODELS if name in names] or ["vmaf"]
    features = [name for name in LIBVMAF_METRICS if name in names and name not in _MODELS]
    options = {
        "model": "|".join(f"version={model_of(name, height)}:name={name}" for name in with_model),
        "n_threads": str(min(_threads(width * height), threads or _MOST_THREADS)),
        "log_fmt": "json",
        "log_path": log_path,
    }
    return options | ({"feature": "|".join(f"name={name}" for name in features)} if features else {})


def filter_text(options: Mapping[str, str]) -> str:
    """The options as they stand in a filter graph's text: a colon inside a value is escaped for both of its parsers."""
    return ":".join(f"{name}={value.replace(':', chr(92) * 2 + ':')}" for name, value in options.items())


def _threads(picture_px: int) -> int:
    affordable = _MOST_THREAD_BYTES // (_THREAD_BYTES_PER_PX * picture_px)
    return max(1, min(_usable_cores(), _MOST_THREADS, affordable))


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
