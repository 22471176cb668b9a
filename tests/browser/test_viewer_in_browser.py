"""The viewer as Chromium shows it: what its keys, buttons, fingers and filters make of the pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.report import write_report
from tests.browser.conftest import PHONE, Open
from tests.report_simulator import STANDARD_CASES, Simulation, write_simulated_folder

_ONE_CASE = Simulation(cases=STANDARD_CASES[:1], blocks=2, trace_samples=5, picture_size=(640, 360))
_CROP = (480, 270)
_VIDEO_FRAMES = 12
_LEVEL_STEP = 20
"""Grey levels between two frames of a video: far more than a codec and a screen change."""

Pixels = NDArray[np.int16]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page with all pictures inside, one with most of them beside it, and one with kept outputs."""
    place = tmp_path_factory.mktemp("viewer")
    written = {}
    for name, limit in (("inside", 50_000_000), ("beside", 600_000), ("videos", 50_000_000)):
        folder = write_simulated_folder(place / name, _ONE_CASE)
        if name == "videos":
            _keep_outputs(folder)
        written[name] = write_report([folder], folder / "index.html", picture_bytes=limit)
    many = replace(_ONE_CASE, cases=STANDARD_CASES[:2], picture_size=(320, 180))
    folder = write_simulated_folder(place / "two", many)
    written["two"] = write_report([folder], folder / "index.html")
    return written


def _keep_outputs(folder: Path) -> None:
    """Outputs in which every frame is one grey; the runs of the folder are made to name them."""
    (folder / "outputs").mkdir()
    for file in sorted((folder / "runs").glob("*.json")):
        name = f"{file.stem}.mp4"
        text = file.read_text(encoding="utf-8").replace("outputs/0.mp4", name).replace("outputs/1.mp4", name)
        text = text.replace('"frames":1800,', f'"frames":{_VIDEO_FRAMES},', 1)
        text = text.replace('"duration_s":60.0', f'"duration_s":{_VIDEO_FRAMES / 30}')
        file.write_text(text, encoding="utf-8")
        with av.open(str(folder / "outputs" / name), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast", "qp": "4"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for number in range(_VIDEO_FRAMES):
                grey = np.full((48, 64, 3), number * _LEVEL_STEP, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey)))
            container.mux(stream.encode())


def _viewer(page: Any) -> Any:
    """The first viewer, with the focus on its pictures."""
    viewer = page.locator(".viewer").first
    viewer.locator(".v-stage").focus()
    return viewer


def _press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _shot(locator: Any) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(np.int16)


def _picture_in(viewer: Any) -> Pixels:
    """The pixels of the single picture at zoom 2, a quarter of what is on the screen: checked to be squares.

    A screenshot is cut at whole pixels, so the viewer is first moved by the fraction at which text above lets it begin.
    """
    window = viewer.locator(".v-single .v-window")
    window.scroll_into_view_if_needed()
    window.evaluate(
        """element => {
            const { left, top } = element.getBoundingClientRect(), viewer = element.closest(".viewer");
            viewer.style.position = "relative";
            viewer.style.top = `${Math.ceil(top) - top}px`;
            viewer.style.left = `${Math.ceil(left) - left}px`;
        }"""
    )
    shown = _shot(window)
    left, top = (shown.shape[1] - 2 * _CROP[0]) // 2, (shown.shape[0] - 2 * _CROP[1]) // 2
    part = shown[top : top + 2 * _CROP[1], left : left + 2 * _CROP[0]]
    assert np.array_equal(part[::2, ::2], part[1::2, 1::2])
    return part[::2, ::2]


def _said(viewer: Any) -> str:
    return str(viewer.locator(".v-say").inner_text())


def _shown(viewer: Any, pane: int) -> Pixels:
    """The pixels of a pane's picture that lies in the page, decoded outside the browser."""
    picture = base64.b64decode(viewer.locator(".v-pane img").nth(pane).get_attribute("src").partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(np.int16)


def test_digits_choose_the_subject_and_space_shows_one_picture_then_the_other(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)

    _press(page, "2")
    assert "showing gpu" in _said(viewer)
    second = _shot(viewer.locator(".v-single .v-window"))
    _press(page, " ")
    assert "showing reference" in _said(viewer)
    reference = _shot(viewer.locator(".v-single .v-window"))
    _press(page, " ", "1")
    assert "showing cpu" in _said(viewer)
    first = _shot(viewer.locator(".v-single .v-window"))

    assert np.abs(second - reference).max() > 20  # the damage that is in both outputs
    assert 0 < np.abs(second - first).max() <= 4  # their noise differs
    _press(page, "9")
    assert "showing cpu" in _said(viewer)  # there is no ninth subject


def test_arrows_go_to_the_next_frame_and_back_and_stop_at_the_ends(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)
    opening = _said(viewer)
    assert "lowest PSNR Y" in opening

    _press(page, "ArrowRight")
    following = _said(viewer)
    _press(page, "ArrowLeft")
    assert _said(viewer) == opening != following
    _press(page, *["ArrowLeft"] * 20)
    assert _said(viewer).startswith("Frame 0, 0.00 s: first frame")
    _press(page, *["ArrowRight"] * 20)
    assert _said(viewer).startswith("Frame 599, 19.97 s: last frame")
    assert viewer.locator(".v-frames [aria-current]").inner_text().startswith("Frame 599")


def test_difference_is_each_channels_difference_times_the_gain(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)
    expected = np.abs(_shown(viewer, 1) - _shown(viewer, 0)) * 8

    _press(page, "d")
    assert "difference of reference and cpu, 8 times, zoom 2" in _said(viewer)
    assert np.abs(_picture_in(viewer) - expected.clip(0, 255)).max() <= 2  # the filter rounds once
    _press(page, "d")
    assert viewer.locator(".v-panes").is_visible()


def test_the_heat_map_is_black_where_pictures_are_equal_and_white_where_they_differ_most(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)

    _press(page, "h")
    viewer.locator("[data-role=base]").select_option("1")  # a picture against itself
    inside = (slice(20, -20), slice(20, -20))  # away from the round corners and the ring of the focus
    assert _shot(viewer.locator(".v-single .v-window"))[inside].max() == 0
    viewer.locator("[data-role=base]").select_option("0")
    part = _picture_in(viewer)

    differs = np.abs(_shown(viewer, 1) - _shown(viewer, 0)).sum(axis=2) * 8
    assert (part[differs >= 255] >= 250).all()
    assert (part[differs == 0] <= 2).all()
    assert "32 codes or more" in viewer.locator(".v-scale").inner_text()


def test_the_slider_shows_one_picture_on_each_side_of_its_edge(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)
    _press(page, "s")
    window = viewer.locator(".v-single .v-window")

    shots = {}
    for end in ("Home", "End"):
        viewer.locator("[data-role=edge]").focus()
        page.keyboard.press(end)
        shots[end] = _shot(window)
    assert np.abs(shots["Home"] - shots["End"]).max() > 20

    box = window.bounding_box()
    edge = viewer.locator(".v-edge")
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert viewer.locator("[data-role=edge]").input_value() == "25"
    handle = edge.bounding_box()
    assert handle["x"] + handle["width"] / 2 - box["x"] == pytest.approx(box["width"] * 0.25, abs=1)


def test_zoom_makes_squares_of_pixels_and_every_pane_shows_the_same_part(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)

    _press(page, *["+"] * 9)
    assert "zoom 8" in _said(viewer)
    before = viewer.locator(".v-pane img").evaluate_all("all => all.map(image => image.style.transform)")
    assert len(set(before)) == 1
    _press(page, "Shift+ArrowRight", "Shift+ArrowDown")
    after = viewer.locator(".v-pane img").evaluate_all("all => all.map(image => image.style.transform)")
    assert len(set(after)) == 1
    assert after != before

    shown = _shot(viewer.locator(".v-pane .v-window").first)
    rows = np.flatnonzero((np.diff(shown, axis=0) != 0).any(axis=(1, 2))) % 8
    columns = np.flatnonzero((np.diff(shown, axis=1) != 0).any(axis=(0, 2))) % 8
    inside = slice(10, -10)  # away from the window's round corners
    assert len(set(rows[inside])) == 1
    assert len(set(columns[inside])) == 1
    _press(page, *["-"] * 9)
    assert "zoom 1" in _said(viewer)


def test_a_drag_moves_every_pane(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)
    _press(page, *["+"] * 3)
    box = viewer.locator(".v-pane .v-window").nth(1).bounding_box()
    before = viewer.locator(".v-pane img").first.evaluate("image => image.getBoundingClientRect().x")

    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 90, steps=4)
    page.mouse.up()

    after = viewer.locator(".v-pane img").first.evaluate("image => image.getBoundingClientRect().x")
    assert after - before == pytest.approx(-40, abs=1)


def test_fingers_drag_and_pinch(opened: Open) -> None:
    page = opened("inside", viewport=PHONE, has_touch=True)
    viewer = page.locator(".viewer").first
    window = viewer.locator(".v-pane .v-window").first
    window.scroll_into_view_if_needed()
    box = window.bounding_box()
    touch = page.context.new_cdp_session(page)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def put(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    put("touchStart", middle)
    put("touchMove", (middle[0] - 20, middle[1]))
    put("touchMove", (middle[0] - 40, middle[1]))
    put("touchEnd")
    moved = viewer.locator(".v-pane img").first.evaluate("image => image.getBoundingClientRect().x")
    assert moved < box["x"] - (480 - box["width"]) / 2 - 5

    put("touchStart", (middle[0] - 30, middle[1]), (middle[0] + 30, middle[1]))
    put("touchMove", (middle[0] - 60, middle[1]), (middle[0] + 60, middle[1]))
    put("touchEnd")
    assert "zoom 2" in _said(viewer)
    put("touchStart", (middle[0] - 30, middle[1]), (middle[0] + 30, middle[1]))
    put("touchMove", (middle[0] - 60, middle[1]), (middle[0] + 60, middle[1]))
    put("touchEnd")
    assert "zoom 4" in _said(viewer)


def test_keys_count_only_inside_the_viewer_and_leave_its_controls_alone(opened: Open) -> None:
    page = opened("two")
    first, second = page.locator(".viewer").first, page.locator(".viewer").nth(1)
    said = _said(first), _said(second)

    page.locator("#theme").focus()
    _press(page, "d", "ArrowRight", "2")
    assert (_said(first), _said(second)) == said
    second.locator(".v-stage").focus()
    _press(page, "d")
    assert _said(first) == said[0]
    assert "difference" in _said(second)
    second.locator("[data-role=gain]").focus()
    _press(page, "ArrowDown")
    assert "16 times" in _said(second)


def test_every_control_works_without_keys_of_its_own(opened: Open) -> None:
    page = opened("inside")
    viewer = page.locator(".viewer").first
    for title, words in (
        ("Slider", "edge at"),
        ("Flicker", "showing"),
        ("Difference", "difference"),
        ("Heat map", "heat"),
    ):
        viewer.get_by_role("button", name=title).click()
        assert words in _said(viewer)
        assert viewer.get_by_role("button", name=title).get_attribute("aria-pressed") == "true"
    viewer.get_by_role("button", name="Flicker").click()
    play = viewer.get_by_role("button", name="Alternate by itself")
    play.click()
    page.wait_for_function("() => document.querySelector('.v-say').textContent.includes('showing reference')")
    play.click()
    assert play.get_attribute("aria-pressed") == "false"
    viewer.locator(".v-frames button").last.click()
    assert "last frame" in _said(viewer)


def test_pictures_beside_the_page_are_shown_from_disk(opened: Open) -> None:
    page = opened("beside")
    viewer = _viewer(page)

    _press(page, *["ArrowRight"] * 20)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.v-pane img')].every(image => image.naturalWidth === 480)"
    )

    assert viewer.locator(".v-pane img").first.get_attribute("src") == "frames/index/case-1-f599-0.webp"
    _press(page, "d")
    assert _shot(viewer.locator(".v-single .v-window")).max() > 100


def test_two_kept_outputs_are_stepped_frame_by_frame(opened: Open) -> None:
    page = opened("videos")
    box = page.locator(".v-videos")
    box.locator("summary").click()
    levels = []
    for step in range(3):
        if step:
            box.get_by_role("button", name="Next frame").click()
        page.wait_for_function(
            "() => [...document.querySelectorAll('video')].every(v => v.readyState >= 2 && !v.seeking)"
        )
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        levels.append([float(_shot(video).mean()) for video in box.locator("video").all()])

    assert box.locator(".v-say").inner_text().startswith("Frame 2 of 11, 0.07 s: cpu and gpu")
    for left, right in levels:
        assert left == pytest.approx(right, abs=2)
    steps = np.diff([left for left, _ in levels])
    assert steps == pytest.approx([_LEVEL_STEP] * 2, abs=4)
    box.locator(".v-screens").focus()
    _press(page, "ArrowLeft")
    assert box.locator(".v-say").inner_text().startswith("Frame 1 of 11")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("mode", ["Slider", "Heat map"])
def test_axe_finds_no_violation_in_any_view(opened: Open, axe: str, mode: str, scheme: str) -> None:
    page = opened("videos", scheme=scheme)
    page.locator(".viewer").first.get_by_role("button", name=mode).click()
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.evaluate(axe)

    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in found["violations"]] == []


def test_print_shows_the_worst_frame_of_every_subject(opened: Open) -> None:
    page = opened("inside")
    viewer = _viewer(page)
    _press(page, "d")

    page.emulate_media(media="print")

    assert viewer.locator(".v-pane img").count() == 3
    assert all(image.is_visible() for image in viewer.locator(".v-pane img").all())
    assert not viewer.locator(".v-bar").is_visible()
