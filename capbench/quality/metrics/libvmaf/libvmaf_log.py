"""The log that libvmaf writes at its end."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass

from capbench.errors import UnavailableError

__all__ = ["LibvmafLog", "read_log"]

_INFINITE_AS_NULL = ("psnr_hvs",)
"""A metric that is infinite for identical pictures; libvmaf writes that as null."""


@dataclass(frozen=True, slots=True)
class LibvmafLog:
    """What libvmaf wrote down."""

    version: str
    """Its version, as it names itself."""
    scores: dict[str, list[float]]
    """Metric to its value of each pair, in order; infinite where the pictures are identical and it has no bound."""


def read_log(text: str, names: Collection[str], pairs: int) -> LibvmafLog:
    """Read libvmaf's JSON log of that many pairs, for these metrics.

    Raises `UnavailableError` with the reason where it has other frames or no scores: a score must never be
    attributed to another frame.
    """
    try:
        log = json.loads(text)
        version = str(log["version"])
        numbers = [frame["frameNum"] for frame in log["frames"]]
        scores = {name: [_score(name, frame["metrics"][name]) for frame in log["frames"]] for name in names}
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"libvmaf's log cannot be read: {type(error).__name__} {error}") from error
    if numbers != list(range(pairs)):
        raise UnavailableError(f"libvmaf's log has {len(numbers)} frames instead of {pairs} in order")
    for name, values in scores.items():
        if not all(math.isfinite(value) or name in _INFINITE_AS_NULL for value in values):
            raise UnavailableError("libvmaf's log has scores that are not numbers")
    return LibvmafLog(version, scores)


def _score(name: str, value: float | None) -> float:
    return math.inf if value is None and name in _INFINITE_AS_NULL else float(value)  # type: ignore[arg-type]  # raises
