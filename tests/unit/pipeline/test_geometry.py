"""Where the recording lies on the canvas."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import Rectangle, canvas_size, display_rectangle
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.scene import Display


def source(width: int, height: int, pixel_aspect: Fraction) -> SourceInfo:
    """A source of which only the shape matters."""
    return SourceInfo(
        path=Path("clip.mp4"),
        width=width,
        height=height,
        rotation_degrees=0,
        pixel_aspect=pixel_aspect,
        frame_rate=Fraction(30),
        time_base=Fraction(1, 30),
        start_s=Fraction(0),
        duration_s=1.0,
        frame_count_claimed=30,
        colour=ColourSpec(),
        planar_format="yuv420p",
        audio_streams=0,
        audio_start_s=None,
    )


@pytest.mark.parametrize(
    ("width", "height", "pixel_aspect"),
    [
        (800, 640, Fraction(64, 45)),  # 1137.8 wide: 1136 leaves exactly one row, which once came out dark
        (321, 241, Fraction(1)),
        (1440, 1080, Fraction(4, 3)),
        (720, 576, Fraction(16, 15)),
        (352, 288, Fraction(12, 11)),
    ],
    ids=str,
)
def test_a_recording_in_its_own_shape_fills_the_canvas(width: int, height: int, pixel_aspect: Fraction) -> None:
    """Rounding to even sides is not a letterbox."""
    clip = source(width, height, pixel_aspect)
    canvas = canvas_size(clip, None, None)

    assert display_rectangle(Display(), clip, canvas) == Rectangle(0, 0, canvas.width, canvas.height)


def test_another_shape_is_letterboxed() -> None:
    clip = source(640, 480, Fraction(1))

    rectangle = display_rectangle(Display(), clip, canvas_size(clip, 1280, 720))

    assert rectangle == Rectangle(160, 0, 1120, 720)
