"""What drawn clips are drawn from: codecs, with the formats and containers that they go with, sounds, sizes, rates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["CODINGS", "RATES", "SIZES", "SOUND_CODINGS", "Coding", "SoundCoding"]

RATES: Final = (
    *("25/2", "15", "24000/1001", "24", "25", "25", "25", "30000/1001", "30", "30", "30", "30"),
    *("48", "50", "60000/1001", "60", "60", "90", "100", "120"),
)
"""Frames a second; those that are met often stand several times."""
_OF_TELEVISION: Final = ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
"""ISO/IEC 13818-2, table 6-4."""
SIZES: Final = (
    *((64, 64), (96, 64), (128, 96), (160, 120), (176, 144), (180, 320), (200, 150), (256, 144), (270, 480)),
    *((320, 180), (320, 180), (320, 240), (352, 288), (360, 640), (400, 300), (426, 240), (480, 270), (480, 270)),
    *((640, 360), (640, 360), (640, 480), (720, 480), (720, 576), (854, 480), (960, 540), (720, 1280), (1280, 720)),
    *((321, 181), (175, 143), (333, 250)),
)
"""Width and height; the last three are odd."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A codec and what may be drawn with it."""

    encoder: tuple[str, ...]
    """Options of FFmpeg; {q} stands for the quality."""
    qualities: tuple[int, ...]
    """What {q} may be, fine ones alone: a source is not to be coarse itself."""
    pixel_formats: tuple[str, ...]
    """FFmpeg's names; those that are met often stand several times."""
    containers: tuple[str, ...]
    """Suffixes."""
    weight: int = 1
    """How often it is drawn."""
    rates: tuple[str, ...] | None = None
    """Frames a second that it can say; None for all."""
    smallest: int = 64
    """Shortest side in pixels."""
    takes_uneven_times: bool = True
    """Whether frames may come at uneven times."""
    states_colours: bool = True
    """Whether the matrix and range are stated; else they are not, and BT.601 is meant, below 720 lines."""
    takes_full_range: bool = False
    """Whether full range can be stated."""
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Further options for a container."""

    def options(self, quality: int, container: str) -> tuple[str, ...]:
        """Options of FFmpeg."""
        chosen = tuple(word.format(q=quality) for word in self.encoder)
        return (*chosen, *self.extra.get(container, ()))


_EIGHT: Final = ("yuv420p", "yuv420p", "yuv420p", "yuv422p", "yuv444p")
CODINGS: Final = (
    Coding(
        ("-c:v", "libx264", "-preset", "veryfast", "-crf", "{q}"),
        (10, 14, 18, 22),
        (*_EIGHT, "yuv420p", "yuv420p", "yuv420p", "yuv420p10le", "yuv422p10le", "gray"),
        (".mp4", ".mp4", ".mov", ".mkv", ".ts", ".avi"),
        weight=8,
        takes_full_range=True,
        # AVI has no times: frames are shown as they are stored.
        extra={".avi": ("-bf", "0")},
    ),
    Coding(
        ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "{q}", "-x265-params", "log-level=error"),
        (10, 14, 18, 22),
        ("yuv420p", "yuv420p", "yuv420p10le", "yuv420p10le", "yuv422p10le", "yuv444p"),
        (".mp4", ".mkv", ".mov", ".ts"),
        weight=5,
        takes_full_range=True,
        extra={".mp4": ("-tag:v", "hvc1"), ".mov": ("-tag:v", "hvc1")},
    ),
    Coding(
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "0", "-crf", "{q}"),
        (12, 18, 26),
        ("yuv420p", "yuv420p", "yuv444p", "yuv420p10le"),
        (".webm", ".webm", ".mkv", ".mp4"),
        weight=4,
        takes_full_range=True,
    ),
    Coding(
        ("-c:v", "libsvtav1", "-preset", "10", "-crf", "{q}"),
        (16, 24),
        ("yuv420p", "yuv420p10le"),
        (".mkv", ".mp4", ".webm"),
        weight=3,
    ),
    Coding(
        ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "6M", "-crf", "{q}"),
        (6, 10),
        ("yuv420p",),
        (".webm", ".mkv"),
        states_colours=False,
    ),
    Coding(
        ("-c:v", "mpeg2video", "-q:v", "{q}", "-bf", "2"),
        (2, 3),
        ("yuv420p", "yuv420p", "yuv422p"),
        (".ts", ".ts", ".mkv"),
        weight=3,
        rates=_OF_TELEVISION,
        takes_uneven_times=False,
    ),
    Coding(
        ("-c:v", "mpeg4", "-q:v", "{q}"),
        (2, 3),
        ("yuv420p",),
        (".mp4", ".avi", ".mkv"),
        weight=2,
        takes_uneven_times=False,
        states_colours=False,
    ),
    # Without the filter the container states the colours and every frame denies them.
    Coding(
        ("-c:v", "prores_ks", "-profile:v", "{q}"),
        (2, 3),
        ("yuv422p10le",),
        (".mov",),
        weight=2,
        extra={
            ".mov": ("-bsf:v", "prores_metadata=color_primaries=bt709:color_trc=bt709:colorspace=bt709"),
        },
    ),
    Coding(
        ("-c:v", "dnxhd", "-profile:v", "dnxhr_hq"), (0,), ("yuv422p",), (".mov",), smallest=144, states_colours=False
    ),
    Coding(
        ("-c:v", "mjpeg", "-q:v", "{q}"),
        (2, 3),
        ("yuvj420p", "yuvj420p", "yuvj422p", "yuvj444p"),
        (".avi", ".mov", ".mkv"),
        weight=2,
        states_colours=False,
    ),
    Coding(("-c:v", "ffv1"), (0,), ("yuv420p", "yuv422p", "yuv444p", "yuv422p10le", "gray"), (".mkv",), weight=2),
    Coding(("-c:v", "huffyuv"), (0,), ("yuv422p",), (".avi", ".mkv"), takes_uneven_times=False, states_colours=False),
    Coding(("-c:v", "utvideo"), (0,), ("yuv420p", "yuv422p"), (".avi", ".mkv"), states_colours=False),
    Coding(("-c:v", "libtheora", "-q:v", "{q}"), (9, 10), ("yuv420p",), (".mkv",), states_colours=False),
    Coding(
        ("-c:v", "libx264rgb", "-preset", "veryfast", "-crf", "{q}"),
        (8, 14),
        ("rgb24",),
        (".mkv", ".mp4"),
        states_colours=False,
    ),
)
"""What ffmpeg 5.1 encodes in a second or so."""


@dataclass(frozen=True, slots=True)
class SoundCoding:
    """A codec of sound."""

    encoder: tuple[str, ...]
    """Options of FFmpeg."""
    containers: tuple[str, ...]
    """Suffixes."""
    rates_hz: tuple[int, ...]
    """Samples a second that it can have; those that are met often stand several times."""
    most_channels: int = 6
    """1, 2 or 6."""


_ALL_RATES: Final = (8000, 11025, 16000, 22050, 32000, 44100, 44100, 48000, 48000, 48000, 96000)
_OF_DISCS: Final = (32000, 44100, 48000, 48000)
SOUND_CODINGS: Final = (
    SoundCoding(("-c:a", "aac", "-b:a", "160k"), (".mp4", ".mp4", ".mov", ".mkv", ".ts"), _ALL_RATES),
    SoundCoding(("-c:a", "alac"), (".mp4", ".mov"), (44100, 48000, 96000), 2),
    SoundCoding(("-c:a", "libmp3lame", "-b:a", "192k"), (".mp4", ".mkv", ".avi"), _OF_DISCS, 2),
    SoundCoding(("-c:a", "ac3", "-b:a", "384k"), (".mp4", ".mkv", ".ts", ".avi"), _OF_DISCS),
    SoundCoding(("-c:a", "eac3", "-b:a", "384k"), (".mkv",), _OF_DISCS),
    SoundCoding(("-c:a", "libopus", "-b:a", "160k"), (".webm", ".webm", ".mkv", ".mp4"), (48000,)),
    SoundCoding(("-c:a", "libvorbis", "-q:a", "6"), (".webm", ".mkv"), (16000, 22050, 44100, 48000)),
    SoundCoding(("-c:a", "flac"), (".mkv", ".mkv"), _ALL_RATES),
    SoundCoding(("-c:a", "pcm_s16le"), (".mov", ".mov", ".avi", ".avi", ".mkv"), _ALL_RATES),
    SoundCoding(("-c:a", "pcm_s24le"), (".mov",), (48000, 96000)),
    SoundCoding(("-c:a", "mp2", "-b:a", "256k"), (".ts", ".ts", ".avi"), _OF_DISCS, 2),
)
"""What goes into the containers of the study."""
