"""The line of a program's output that says why it failed: the last one that is neither progress nor statistics."""

from __future__ import annotations

import re

__all__ = ["failure_reason"]

_LONGEST_LINE = 2000
"""Characters of a line that are looked at: a bar of a megabyte is no reason."""
_NO_REASON = re.compile(
    r"""
    (?:frame|size)=\s*\S+\s.*\btime=.*                                  # ffmpeg's status line
    | (?:frame|fps|stream_\d+_\d+_\w+|bitrate|total_size|out_time|out_time_us|out_time_ms|dup_frames|drop_frames|speed
        |progress)=[^=]*                                                # ffmpeg -progress, and this project's worker
    | bench:\s.*                                                        # ffmpeg -benchmark
    | \[lib\w+\s@\s0x[0-9a-f]+\]\s(?:frame\s[IPB]:|consecutive\ B-frames:|mb\s[IPB]\s|8x8\ transform|coded\s|i4\s|i8\s
        |i8c\s|i16\s|Weighted\sP-Frames|ref\s[PB]\s|kb/s:|encoded\s\d+\sframes).*    # what x264 and x265 say at the end
    | (?!.*\b(?:error|fail|failed|full|cannot|no\ space|invalid)\b)   # bars and percentages
      [^%]{0,80}?\d{1,3}(?:[.,]\d+)?\s?%\s*(?:[|\[(\#=>.█▏▎▍▌▋▊▉-].*|.{0,20}\bETA\b.*)?
    | [\W_]+                                                            # rules, and the carets of a traceback
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SAYS_NOTHING = frozenset(
    {
        *("aborted", "aborting", "conversion failed", "encoding failed", "error", "exiting", "export failed", "failed"),
        *("failure", "fatal error", "terminated", "transcoding failed", "an error occurred", "process failed"),
    }
)
"""Last lines that repeat what the exit code has said."""


def failure_reason(*texts: str) -> str | None:
    """The last line of the first text that has one; what says only that it failed, where nothing says more; or None.

    A carriage return ends a line too, as it does on a terminal.
    """
    fallback: str | None = None
    for text in texts:
        for line in reversed(re.split(r"[\r\n]+", text)):
            stripped = line.strip()[:_LONGEST_LINE]
            if not stripped or _NO_REASON.fullmatch(stripped):
                continue
            if stripped.rstrip(".! ").casefold() not in _SAYS_NOTHING:
                return stripped
            fallback = fallback or stripped
    return fallback
