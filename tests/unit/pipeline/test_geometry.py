"""Where the recording lies on the canvas."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from capbench.colour import ColourSpec
from capbench.errors import InputError
from capbench.pipeline.compositor.geometry import Rectangle, canvas_size, display_rectangle
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.decode.source_colour import DeclaredColour
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
        declared_colour=DeclaredColour(),
        planar_format="yuv420p",
        audio_streams=0,
        audio_start_s=None,
    )


@pytest.mark.parametrize(
    ("width", "height", "pixel_aspect"),
    [
        (800, 640, Fraction(64, 45)),  # 1137.8 wide: 1136 left exactly one row, which once came out dark
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


@pytest.mark.parametrize(
    ("clip", "asked", "size"),
    [
        (source(640, 480, Fraction(4, 3)), (None, None), (854, 480)),  # 853.33, which is no nearer to 852
        (source(720, 576, Fraction(16, 15)), (None, None), (768, 576)),
        (source(320, 180, Fraction(3, 4)), (None, None), (240, 180)),
        (source(321, 241, Fraction(1)), (None, None), (320, 240)),
        (source(640, 480, Fraction(4, 3)), (None, 360), (640, 360)),
        (source(640, 480, Fraction(4, 3)), (1280, None), (1280, 720)),
        (source(60000, 1, Fraction(1)), (1920, None), (1920, 2)),
    ],
    ids=str,
)
def test_a_side_that_was_not_asked_for_is_rounded_to_even(
    clip: SourceInfo, asked: tuple[int | None, int | None], size: tuple[int, int]
) -> None:
    canvas = canvas_size(clip, *asked)

    assert (canvas.width, canvas.height) == size


@pytest.mark.parametrize(
    ("clip", "asked"),
    [
        (source(30000, 30000, Fraction(1)), (None, None)),
        (source(640, 480, Fraction(2**31)), (None, None)),
        (source(60000, 1, Fraction(1)), (None, 720)),
    ],
    ids=["large", "absurd pixels", "wide"],
)
def test_an_output_that_no_texture_holds_is_refused_with_its_size(
    clip: SourceInfo, asked: tuple[int | None, int | None]
) -> None:
    """What follows from a file is bounded like what a user asks for."""
    with pytest.raises(InputError, match=r"the output would be \d+x\d+.* 8192"):
        canvas_size(clip, *asked)
