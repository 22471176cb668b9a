"""The oracle's composition against pixels that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.scene import Background, Border, Display, Scene, Shadow, ZoomSegment
from capbench.quality.oracle import nv12_to_rgb, rgb_to_nv12
from capbench.quality.oracle.composition import compose, hidden_by_layers
from capbench.quality.oracle.placement import Placement, chroma_place, place_recording
from capbench.quality.oracle.sampling import sample_rgb

CANVAS = (160, 90)
WHITE = np.ones((90, 160, 3))


def placed(display: Display, time_s: float = 0.0, zoom: tuple[ZoomSegment, ...] = ()) -> Placement:
    return place_recording(display, zoom, shown=(160.0, 90.0), canvas=CANVAS, time_s=time_s)


def test_a_bare_scene_is_the_recording() -> None:
    picture = np.random.default_rng(1).random((90, 160, 3))

    assert np.array_equal(compose(Scene(), picture, placed(Display()), CANVAS), picture)


def test_padding_leaves_the_background_and_keeps_the_aspect() -> None:
    scene = Scene(background=Background(colour="#804020"), display=Display(padding=0.1))
    place = placed(scene.display)

    out = compose(scene, WHITE, place, CANVAS)

    # 9 pixels above and below; 160:90 in 142x72 is 128x72.
    assert (place.left, place.top, place.right, place.bottom) == (16, 9, 144, 81)
    assert out[4, 80] * 255 == pytest.approx([0x80, 0x40, 0x20])
    assert np.array_equal(out[45, 80], [1, 1, 1])
    assert out[45, 15] * 255 == pytest.approx([0x80, 0x40, 0x20])


def test_a_gradient_runs_from_colour_to_colour_like_css() -> None:
    scene = Scene(
        background=Background(gradient=("#000000", "#ffffff"), angle_degrees=90), display=Display(padding=0.49)
    )

    out = compose(scene, WHITE, placed(scene.display), CANVAS)

    assert out[0, :, 0] == pytest.approx((np.arange(160) + 0.5) / 160)


def test_corners_are_cut_and_edges_between_pixels_are_mixed() -> None:
    scene = Scene(display=Display(padding=0.1, rounding_px=240))  # 20 pixels on 90 lines
    place = placed(scene.display)

    out = compose(scene, WHITE, place, CANVAS)

    corner = out[9:29, 16:36, 0]
    assert (corner[0, 0], corner[-1, -1]) == (0, 1)
    assert corner.sum() == pytest.approx(np.pi * 20**2 / 4, rel=0.01)  # a quarter circle's area
    assert np.any((corner > 0) & (corner < 1))


def test_a_shadow_is_half_as_dark_on_the_edge_and_blends_in_gamma_space() -> None:
    """The shifted rectangle's edge is where the soft edge is half way; 40% of white's code is taken off at most."""
    shadow = Shadow(opacity=0.4, blur_px=120, offset_px=(0, 120))  # 10 pixels of blur, 10 pixels down
    scene = Scene(background=Background(colour="#ffffff"), display=Display(padding=0.2, shadow=shadow))
    place = placed(scene.display)

    out = compose(scene, WHITE * 0, place, CANVAS)

    # The bottom edge is at 72, the shadow's at 82: between the pixel centres 81.5 and 82.5.
    assert (out[81, 80, 0] + out[82, 80, 0]) / 2 == pytest.approx(1 - 0.4 * 0.5, abs=1e-3)
    assert out[89, 80, 0] > out[75, 80, 0]


def test_a_border_lies_around_the_recording() -> None:
    border = Border(width_px=24, colour="#ff0000", opacity=0.5)  # 2 pixels
    scene = Scene(display=Display(padding=0.2, border=border))

    out = compose(scene, WHITE, placed(scene.display), CANVAS)

    assert out[16:20, 80, 0].tolist() == pytest.approx([0.5, 0.5, 1, 1])
    assert out[14, 80, 0] == 0


@pytest.mark.parametrize(("time_s", "amount"), [(0.0, 1.0), (1.5, 2**0.5), (2.5, 2.0), (4.0, 1.0)])
def test_zoom_magnifies_about_its_centre(time_s: float, amount: float) -> None:
    segment = ZoomSegment(start_s=1, end_s=4, amount=2, centre=(0.25, 0.5), ease_in_s=1, ease_out_s=1)

    place = placed(Display(), time_s, (segment,))

    assert place.amount == pytest.approx(amount)
    assert place.point(0.25, 0.5) == pytest.approx((40, 45))
    assert place.width == pytest.approx(160 * amount)


@pytest.mark.parametrize("siting", list(ChromaSiting))
def test_sampling_at_the_samples_is_the_oracles_decoding(siting: ChromaSiting) -> None:
    spec = ColourSpec(siting=siting)
    luma, chroma = rgb_to_nv12(np.random.default_rng(2).integers(60, 190, (16, 24, 3), dtype=np.uint8), spec)

    sampled = sample_rgb(
        (luma, chroma[..., 0], chroma[..., 1]),
        spec,
        columns=np.arange(24.0),
        rows=np.arange(16.0),
        chroma_place=chroma_place(siting),
    )

    assert sampled == pytest.approx(nv12_to_rgb(luma, chroma, spec), abs=1e-12)


def test_nothing_is_hidden_in_a_scene_without_layers() -> None:
    scene = Scene(display=Display(padding=0.1, shadow=Shadow()))

    assert not hidden_by_layers(scene, placed(scene.display), CANVAS, 0.0).any()
