"""Parameters of a synthetic recording, and the standard ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from capbench.errors import InputError

__all__ = ["MAX_PICTURE_PX", "MAX_SIDE_PX", "MIN_HEIGHT", "MIN_WIDTH", "STANDARD_RECORDINGS", "RecordingSpec"]

MIN_WIDTH = 160
"""Narrowest recording in pixels: cells of the frame number, then 2.6 pixels wide, are readable up to about CRF 35; from
320 pixels on no CRF makes them unreadable."""
MIN_HEIGHT = 90
"""Lowest recording in pixels: a cell of the frame number is then 3.1 pixels high."""

MAX_SIDE_PX = 8192
"""Longest side in pixels: the largest output of an export."""
MAX_PICTURE_PX = 7680 * 4320
"""Most pixels of a picture, 8K UHD: a drawing takes some 20 bytes a pixel, and the encoder dozens of pictures."""
_LONGEST_S = 24 * 3600
"""Longest recording in seconds."""


@dataclass(frozen=True, slots=True)
class RecordingSpec:
    """One synthetic screen recording. The same spec gives the same pictures and sound. Raises `InputError`."""

    name: str
    """Name that a user chooses it by; not part of the content."""
    width: int
    """Width in pixels, even."""
    height: int
    """Height in pixels, even."""
    fps: Fraction | int
    """Frames a second, exact."""
    duration_s: float
    """Length in seconds, rounded to whole frames."""
    container: Literal["mp4", "hls"] = "mp4"
    """`mp4`, or `hls`: a folder with a playlist, `init.mp4` and `.m4s` segments."""
    seed: int = 1
    """Picks the text, the paths of the windows and the noise."""
    content: Literal["screen", "camera"] = "screen"
    """What it shows: a screen, or what a camera beside it saw, with frame numbers of its own."""

    def __post_init__(self) -> None:
        if max(self.width, self.height) > MAX_SIDE_PX or self.width * self.height > MAX_PICTURE_PX:
            # A number that a file wrote in hexadecimal may be too long to be written in decimals.
            size = f"{self.width}x{self.height}" if max(self.width, self.height) < 10**9 else "far larger"
            raise InputError(
                f"recording {self.name!r} is {size}; the limit is {MAX_SIDE_PX} a side and {MAX_PICTURE_PX / 1e6:.0f} "
                "million pixels, as 7680x4320 has"
            )
        if self.width % 2 or self.height % 2 or self.width < MIN_WIDTH or self.height < MIN_HEIGHT:
            raise InputError(
                f"recording {self.name!r} is {self.width}x{self.height}; both sides must be even "
                f"and at least {MIN_WIDTH}x{MIN_HEIGHT}"
            )
        if not 1 <= self.fps <= 240:
            raise InputError(f"recording {self.name!r} has {self.fps} fps; choose 1 to 240")
        if not math.isfinite(self.duration_s) or self.duration_s > _LONGEST_S or self.frames < 1:
            raise InputError(
                f"recording {self.name!r} lasts {self.duration_s} s; it needs at least one frame and "
                f"at most {_LONGEST_S} s"
            )
        if self.frames >= 2**20:
            raise InputError(f"recording {self.name!r} has {self.frames} frames; the frame number ends at {2**20 - 1}")
        if self.container not in ("mp4", "hls"):
            raise InputError(f"recording {self.name!r} has container {self.container!r}; choose mp4 or hls")
        if self.content not in ("screen", "camera"):
            raise InputError(f"recording {self.name!r} shows {self.content!r}; choose screen or camera")

    @property
    def rate(self) -> Fraction:
        """Frames a second as a fraction."""
        return Fraction(self.fps)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return round(self.duration_s * self.rate)

    @property
    def flash_frames(self) -> tuple[int, ...]:
        """First frame of each flash, which is also when the beep starts: the first frame at or after each second."""
        seconds = math.ceil(self.frames / self.rate)
        return tuple(frame for second in range(seconds) if (frame := math.ceil(second * self.rate)) < self.frames)


STANDARD_RECORDINGS = {
    spec.name: spec
    for spec in (
        RecordingSpec("1080p-1min", 1920, 1080, 30, 60),
        RecordingSpec("4k-1min", 3840, 2160, 30, 60),
        RecordingSpec("1080p-10min", 1920, 1080, 30, 600),
        RecordingSpec("hls-1080p-1min", 1920, 1080, 30, 60, "hls"),
        RecordingSpec("camera-1min", 1280, 720, 30, 60, content="camera"),
    )
}
"""The sources of the standard matrix by name, and what a camera saw meanwhile."""
