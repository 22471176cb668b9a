"""What ffmpeg says about itself with `-benchmark` and `-progress`, and other programs in the same words.

The lines are those of fftools/ffmpeg.c: `bench: utime=0.025s stime=0.002s rtime=0.045s` and `bench: maxrss=52284KiB` on
standard error; with `-progress`, blocks of `key=value` that end in `progress=continue` or `progress=end`.
"""

from __future__ import annotations

import math
import re
from collections import deque
from typing import Literal

from capbench.results.run_record import CustomFigure

__all__ = ["benchmark_figures", "progress_figures"]

_TIMES = re.compile(r"^bench: utime=(?P<user>\S+?)s stime=(?P<system>\S+?)s rtime=(?P<real>\S+?)s\s*$", re.MULTILINE)
_MEMORY = re.compile(r"^bench: maxrss=(?P<size>\d{1,15})(?:KiB|kB)\s*$", re.MULTILINE)
"""In KiB, whatever the unit is called: getrusage(2) counts so, and ffmpeg wrote `kB` before 5.0."""
_LAST_BLOCK = re.compile(r"(?:^|\n)(?P<block>(?:[a-z0-9_]+=[^\n]*\n)+)progress=end\s*$")

_LONGEST_BLOCK = 4096
"""Characters: a block has a dozen lines, and one more for each stream of the output."""

Better = Literal["lower", "higher"]
_OF_PROGRESS: tuple[tuple[str, str, str, Better], ...] = (
    ("dup_frames", "ffmpeg_dup_frames", "frames", "lower"),
    ("drop_frames", "ffmpeg_drop_frames", "frames", "lower"),
    ("speed", "ffmpeg_speed", "x", "higher"),
)
"""Key of a block, name and unit of the figure, and which way is better. Frames, size and length of an output are known
from the output itself."""


def benchmark_figures(text: str) -> dict[str, CustomFigure]:
    """Times and memory of `-benchmark` from what was written to standard error; empty where there are none."""
    found: dict[str, CustomFigure] = {}
    if times := _last(_TIMES, text):
        for part, name in (("user", "ffmpeg_user_s"), ("system", "ffmpeg_system_s"), ("real", "ffmpeg_real_s")):
            if (time_s := _number(times[part])) is not None:
                found[name] = CustomFigure(value=time_s, unit="s")
    if memory := _last(_MEMORY, text):
        found["ffmpeg_max_rss_bytes"] = CustomFigure(value=float(int(memory["size"]) * 1024), unit="bytes")
    return found


def progress_figures(text: str) -> dict[str, CustomFigure]:
    """The last block of `-progress`; empty where the text does not end in a complete one."""
    match = _LAST_BLOCK.search(text.replace("\r\n", "\n")[-_LONGEST_BLOCK:])
    if match is None:
        return {}
    values = dict(line.partition("=")[::2] for line in match["block"].splitlines())
    found: dict[str, CustomFigure] = {}
    for key, name, unit, better in _OF_PROGRESS:
        if (value := _number(values.get(key, "").strip().removesuffix("x"))) is not None:
            found[name] = CustomFigure(value=value, unit=unit, better=better)
    return found


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _number(written: str) -> float | None:
    """A finite number; None for `N/A` and anything else."""
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
