"""Where layers are at a time, worked out without a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capbench.errors import SceneError
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle
from capbench.pipeline.compositor.layer_buffer import MAX_STALE, LayerState
from capbench.pipeline.compositor.layers.background import background_picture
from capbench.pipeline.compositor.layers.camera import aspect_crop, camera_rectangle
from capbench.pipeline.compositor.layers.caption import lay_out
from capbench.pipeline.compositor.layers.cursor import CLICK_S, arrow, clicks_at, dip
from capbench.pipeline.compositor.layers.cursor_path import cursor_position
from capbench.pipeline.compositor.layers.mask import pixelate_grid
from capbench.pipeline.compositor.layers.zoom import Magnification, magnification_at
from capbench.pipeline.compositor.overlay_pass import dirty_rectangles
from capbench.pipeline.scene import Background, Camera, Caption, Cursor, Mask, ZoomSegment

FULL_HD = CanvasSize(1920, 1080)


@pytest.mark.parametrize(
    ("time_s", "amount"),
    [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (2.0, 4.0), (3.0, 4.0), (4.0, 4.0), (4.5, 2.0), (4.999, 1.0), (5.0, 1.0)],
)
def test_zoom_eases_in_and_out(time_s: float, amount: float) -> None:
    segment = ZoomSegment(start_s=1, end_s=5, amount=4, centre=(0.2, 0.7), ease_in_s=1, ease_out_s=1)

    zoom = magnification_at([segment], time_s)

    assert zoom.amount == pytest.approx(amount, abs=1e-4)
    assert zoom == Magnification() or zoom.centre == (0.2, 0.7)


def test_the_centre_of_a_zoom_stays_where_it_is() -> None:
    rectangle = Rectangle(100, 50, 500, 250)
    magnified = rectangle.magnified(Magnification(3, (0.25, 0.5)))

    assert magnified.point(0.25, 0.5) == rectangle.point(0.25, 0.5) == (200, 150)
    assert (magnified.width, magnified.height) == (1200, 600)


@pytest.mark.parametrize(
    ("time_s", "position"),
    [(0.0, (0.0, 0.5)), (1.0, (0.0, 0.5)), (1.5, (0.5, 0.25)), (2.0, (1.0, 0.0)), (7.0, (1.0, 0.0))],
)
def test_the_cursor_moves_straight_and_rests_at_the_ends(time_s: float, position: tuple[float, float]) -> None:
    cursor = Cursor.model_validate({"path": [(1, 0, 0.5), (2, 1, 0)]})

    assert cursor_position(cursor, time_s) == position


def test_a_click_stays_where_it_was_made_and_fades() -> None:
    cursor = Cursor.model_validate({"path": [(0, 0, 0), (1, 1, 1)], "clicks_s": [0.5]})

    assert clicks_at(cursor, 0.49) == []
    assert clicks_at(cursor, 0.5 + CLICK_S) == []
    (click,) = clicks_at(cursor, 0.5 + CLICK_S / 2)
    assert click.position == (0.5, 0.5)
    assert click.progress == pytest.approx(0.5)
    assert dip(cursor, 0.5) < dip(cursor, 0.55) < dip(cursor, 0.7) == 1


def test_the_arrow_points_at_its_corner() -> None:
    image = arrow(48)

    assert image.height == 48
    alpha = np.asarray(image)[..., 3]
    assert alpha[3, 2] == 255
    assert alpha[0, -1] == 0


@pytest.mark.parametrize(
    ("own", "wanted", "crop"),
    [
        (16 / 9, None, (0, 0, 0, 0)),
        (2.0, 1.0, (0.25, 0, 0.25, 0)),
        (1.0, 2.0, (0, 0.25, 0, 0.25)),
        (1.5, 1.5, (0, 0, 0, 0)),
    ],
)
def test_a_camera_is_cropped_around_its_middle(own: float, wanted: float | None, crop: tuple[float, ...]) -> None:
    assert aspect_crop(own, wanted) == pytest.approx(crop)


@pytest.mark.parametrize(
    ("position", "edges"),
    [
        ("top-left", (40, 40, 310, 310)),
        ("bottom-right", (1610, 770, 1880, 1040)),
        ((0.5, 0.5), (825, 405, 1095, 675)),
    ],
)
def test_a_camera_lies_in_its_corner(position: object, edges: tuple[float, ...]) -> None:
    camera = Camera.model_validate({"position": position, "size": 0.25})

    assert camera_rectangle(camera, FULL_HD, own_aspect=1.5).edges == pytest.approx(edges)


def test_lengths_are_those_of_a_canvas_of_1080_lines() -> None:
    small, large = (lay_out(Caption(text="Hello"), size) for size in (FULL_HD, CanvasSize(3840, 2160)))

    assert large.height == pytest.approx(2 * small.height, abs=1)
    assert large.width == pytest.approx(2 * small.width, abs=8)  # letters are hinted to whole pixels


def test_a_caption_breaks_between_words_and_stays_on_the_canvas() -> None:
    words = "a caption that is much longer than a single line of the canvas can be " * 3
    plate = lay_out(Caption(text=words.strip(), position=(1.0, 1.0)), FULL_HD)

    assert len(plate.lines) > 2
    assert " ".join(plate.lines) == words.strip()
    assert (plate.left + plate.width, plate.top + plate.height) == (1920, 1080)
    assert plate.texels().shape == (plate.height, plate.width, 4)


def test_a_file_that_is_no_font_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letters.ttf"
    path.write_text("not a font")

    with pytest.raises(SceneError, match=r"letters\.ttf is not a font that FreeType reads"):
        lay_out(Caption(text="a", font=path), FULL_HD)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hills.png"
    path.write_text("not an image")

    with pytest.raises(SceneError, match=r"hills\.png is not an image.*; convert it to PNG"):
        background_picture(Background(image=path), FULL_HD)


@pytest.mark.parametrize(("side_px", "cells"), [(10, (10, 5)), (30, (4, 2)), (200, (1, 1))])
def test_squares_cover_their_mask(side_px: float, cells: tuple[int, int]) -> None:
    grid = pixelate_grid(Rectangle(7, 7, 107, 57), side_px)

    assert (grid.columns, grid.rows) == cells


@pytest.mark.parametrize(
    ("time_s", "presence"), [(0.9, 0), (1.0, 0), (1.1, 0.5), (1.2, 1), (2.5, 1), (2.9, 0.5), (3.0, 0)]
)
def test_spans_fade_at_both_ends(time_s: float, presence: float) -> None:
    mask = Mask(kind="highlight", rectangle=(0, 0, 1, 1), start_s=1, end_s=3, fade_s=0.2)

    assert mask.presence(time_s) == pytest.approx(presence)


CANVAS = CanvasSize(100, 100)


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        ({}, {}, []),
        ({"a": LayerState(1, Rectangle(1, 1, 5, 5))}, {"a": LayerState(1, Rectangle(1, 1, 5, 5))}, []),
        ({}, {"a": LayerState(1, Rectangle(0.5, 1.5, 4.2, 5))}, [(0, 1, 5, 5)]),
        ({"a": LayerState(1, Rectangle(1, 1, 5, 5))}, {}, [(1, 1, 5, 5)]),
        (
            {"a": LayerState(1, Rectangle(1, 1, 5, 5))},
            {"a": LayerState(2, Rectangle(10, 10, 15, 15))},
            [(1, 1, 5, 5), (10, 10, 15, 15)],
        ),
        ({"a": LayerState(1, Rectangle(2, 2, 3, 3))}, {"b": LayerState(2, Rectangle(1, 1, 5, 5))}, [(1, 1, 5, 5)]),
        ({}, {"a": LayerState(1, Rectangle(-20, 90, 20, 120))}, [(0, 90, 20, 100)]),
        ({}, {"a": LayerState(1, Rectangle(120, 0, 140, 20))}, []),
    ],
    ids=["nothing", "unchanged", "appears", "vanishes", "moves", "contained", "clipped", "outside"],
)
def test_what_changed_is_drawn_where_it_was_and_where_it_is(
    before: dict[str, LayerState], after: dict[str, LayerState], stale: list[tuple[int, int, int, int]]
) -> None:
    assert dirty_rectangles(before, after, CANVAS) == stale


def test_too_many_changes_become_one_rectangle() -> None:
    looks = {str(n): LayerState(n, Rectangle(5 * n, 5 * n, 5 * n + 2, 5 * n + 2)) for n in range(MAX_STALE + 1)}

    assert dirty_rectangles({}, looks, CANVAS) == [(0, 0, 82, 82)]
