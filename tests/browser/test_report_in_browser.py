"""The report as Chromium shows it: silent, offline, usable by mouse and by keyboard, readable in every mode.

Needs Playwright for Python and a Chromium of the system (`/usr/bin/chromium`, or its path in CAPBENCH_CHROMIUM). The
accessibility rules are those of axe-core, fetched once by npm into `.capbench/`. What is absent skips with the reason.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.report import write_report
from capbench.report.page.index import write_index
from capbench.report.palette import DARK, LIGHT
from tests.report_simulator import (
    HOSTILE_NAMES,
    STANDARD_CASES,
    STANDARD_SUBJECTS,
    Simulation,
    rename_cases,
    write_simulated_folder,
)

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_AXE = "axe-core@4.14.1"
_FLAGS = [
    "--no-sandbox",  # containers run as root, where Chromium's sandbox cannot start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_DESKTOP = {"width": 1280, "height": 900}
_PHONE = {"width": 390, "height": 844}
_SMALL = Simulation(cases=STANDARD_CASES[:2], blocks=3, trace_samples=9, picture_size=(320, 180))

Open = Callable[..., Any]
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium with a new profile; skips where there is none."""
    program = os.environ.get("CAPBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium; on Debian: apt-get install chromium, or name one in CAPBENCH_CHROMIUM")
    with playwright_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, headless=True, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages that the tests open, each written once."""
    place = tmp_path_factory.mktemp("reports")
    software = replace(
        _SMALL,
        adapter="llvmpipe (LLVM 19.1)",
        adapter_is_software=True,
        broken_colour=frozenset({"gpu"}),
        failing={("1080p-1min", "cpu"): "the encoder died"},
        started_at="2026-03-03T00:00:00Z",
    )
    hostile = replace(
        rename_cases(replace(_SMALL, blocks=1, picture_size=None), (HOSTILE_NAMES[0], HOSTILE_NAMES[4])),
        subjects=tuple(replace(STANDARD_SUBJECTS[1], name=name) for name in HOSTILE_NAMES),
        failing={(HOSTILE_NAMES[0], HOSTILE_NAMES[1]): HOSTILE_NAMES[0]},
    )
    simulations = {"good": _SMALL, "software": software, "hostile": hostile, "empty": replace(_SMALL, blocks=0)}
    written = {}
    for name, simulation in simulations.items():
        folder = write_simulated_folder(place / name, simulation)
        written[name] = write_report([folder], folder / "index.html")
    written["trend"] = write_report([place / "good", place / "software"], place / "trend.html")
    written["index"] = write_index(place, place / "index.html")
    return written


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page and fails the test if it says anything on the console, throws, or asks for anything else."""
    noise: list[str] = []
    contexts: list[Any] = []

    def open_page(name: str, *, viewport: dict[str, int] | None = None, scheme: str = "light") -> Any:
        context = browser.new_context(viewport=viewport or _DESKTOP, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: _refuse(dialog, noise))
        own = pages[name].as_uri()
        page.on("request", lambda request: _expect_own(request.url, own, noise))
        page.goto(own)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noise == []


def _expect_own(url: str, own: str, noise: list[str]) -> None:
    if not url.startswith("data:") and url.partition("#")[0] != own:
        noise.append(f"request: {url}")


def _refuse(dialog: Any, noise: list[str]) -> None:
    noise.append(f"dialog: {dialog.message}")
    dialog.dismiss()


_EVERY = ["good", "software", "hostile", "empty", "trend", "index"]


@pytest.mark.parametrize("name", _EVERY)
@pytest.mark.parametrize("viewport", [_DESKTOP, _PHONE], ids=["desktop", "phone"])
def test_a_page_is_silent_offline_and_no_wider_than_the_screen(
    opened: Open, name: str, viewport: dict[str, int]
) -> None:
    page = opened(name, viewport=viewport)

    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator("h1").bounding_box()["y"] < 300
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def _column(page: Any, table: str, column: int) -> list[str]:
    return list(page.locator(f"#{table} tbody tr > :nth-child({column})").all_inner_texts())


def test_sorting_by_time_puts_the_fastest_first_then_last(opened: Open) -> None:
    page = opened("good")
    header = page.locator("#overview th", has_text="Export time")

    header.locator("button").click()
    rising = page.locator("#overview tbody td:nth-child(5)").evaluate_all("cells => cells.map(c => +c.dataset.value)")
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").click()
    falling = page.locator("#overview tbody td:nth-child(5)").evaluate_all("cells => cells.map(c => +c.dataset.value)")

    assert rising == sorted(rising)
    assert falling == sorted(rising, reverse=True)
    assert len(rising) == 6
    assert header.get_attribute("aria-sort") == "descending"


def test_what_was_not_measured_sorts_last_either_way(opened: Open) -> None:
    page = opened("software")
    header = page.locator("#overview th", has_text="Software time").locator("button")

    for _ in range(2):
        header.click()
        assert _column(page, "overview", 5)[-1] == "\N{EN DASH}"


def test_sorting_works_from_the_keyboard(opened: Open) -> None:
    page = opened("good")
    button = page.locator("#overview th button").nth(1)

    button.focus()
    page.keyboard.press("Enter")

    assert _column(page, "overview", 2) == sorted(_column(page, "overview", 2))


def test_the_slider_moves_the_edge_between_reference_and_output(opened: Open) -> None:
    page = opened("good")
    slider = page.locator("input[type=range]").first
    top = page.locator(".compare .top").first
    slider.scroll_into_view_if_needed()
    assert top.evaluate("image => getComputedStyle(image).clipPath") == "inset(0px 0px 0px 50%)"

    slider.focus()
    page.keyboard.press("Home")
    assert top.evaluate("image => image.style.clipPath") == "inset(0px 0px 0px 0%)"
    for _ in range(10):
        page.keyboard.press("ArrowRight")

    assert top.evaluate("image => image.style.clipPath") == "inset(0px 0px 0px 10%)"
    box = page.locator(".compare").first.bounding_box()
    edge = page.locator(".compare .edge").first.bounding_box()
    assert edge["x"] + 1 - box["x"] == pytest.approx(box["width"] * 0.1, abs=1)  # the edge is 2 px wide


def test_the_slider_shows_the_reference_on_one_side_and_the_output_on_the_other(opened: Open) -> None:
    page = opened("good")
    slider = page.locator("input[type=range]").first
    compare = page.locator(".compare").first
    shots = {}
    for key in ("Home", "End"):
        slider.focus()
        page.keyboard.press(key)
        shots[key] = _pixels(compare.screenshot()).astype(int)

    # The simulated output is damaged at 5/8 of the width and 1/4 of the height of the reference.
    rows, columns = shots["Home"].shape[:2]
    damaged = np.abs(shots["Home"] - shots["End"])[
        int(rows * 0.27) : int(rows * 0.5), int(columns * 0.65) : int(columns * 0.9)
    ]
    assert damaged.mean() > 10


def test_a_dot_leads_to_its_run(opened: Open) -> None:
    page = opened("good")
    dot = page.locator("#case-1 .dot").nth(4)
    run = dot.get_attribute("data-run")
    assert not page.locator(f"#{run}").is_visible()

    dot.click()

    assert page.locator(f"#{run}").is_visible()
    assert "chosen" in page.locator(f"#{run}").get_attribute("class")


def test_a_link_to_a_run_opens_the_list_of_runs(opened: Open) -> None:
    page = opened("good")

    page.locator("a[href^='#run-']").first.click()

    assert page.locator("#run-table").is_visible()


def test_the_theme_button_overrides_the_system(opened: Open) -> None:
    page = opened("good", scheme="dark")

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert ground() == _rgb(DARK["page"])
    page.locator("#theme").click()
    assert ground() == _rgb(LIGHT["page"])
    page.locator("#theme").click()
    assert ground() == _rgb(DARK["page"])


def test_print_is_light_and_opens_what_is_folded(opened: Open) -> None:
    page = opened("good", scheme="dark")

    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == _rgb(LIGHT["page"])
    assert page.evaluate("[...document.querySelectorAll('details')].every(details => details.open)")
    assert not page.locator("#theme").is_visible()


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[at : at + 2], 16) for at in (1, 3, 5)))


def _pixels(png: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _share_of(pixels: Pixels, colour: str) -> float:
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return float((np.abs(pixels.astype(int) - wanted).max(axis=2) <= 2).mean())


@pytest.mark.parametrize(("scheme", "theme"), [("light", LIGHT), ("dark", DARK)])
@pytest.mark.parametrize("viewport", [_DESKTOP, _PHONE], ids=["desktop", "phone"])
def test_the_first_screen_looks_as_designed(
    opened: Open, scheme: str, theme: dict[str, str], viewport: dict[str, int]
) -> None:
    """Mostly ground, some ink, the tiles' surface, the green of the verdict: shares with room for another font."""
    pixels = _pixels(opened("good", viewport=viewport, scheme=scheme).screenshot())

    assert pixels.shape[:2] == (viewport["height"], viewport["width"])
    assert 0.55 < _share_of(pixels, theme["page"]) < 0.9
    assert 0.05 < _share_of(pixels, theme["surface"]) < 0.3
    assert 0.003 < _share_of(pixels, theme["ink"]) < 0.1
    assert 0.0005 < _share_of(pixels, theme["better"]) < 0.05
    assert _share_of(pixels, theme["worse"]) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_differ_in_colour_and_not_in_layout(opened: Open, scheme: str) -> None:
    page = opened("good", scheme=scheme)

    boxes = page.locator("h1, h2, .tiles li, .chart").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(b => [b.x, b.y, b.width, b.height].map(Math.round))"
    )
    other = opened("good", scheme="dark" if scheme == "light" else "light")
    assert boxes == other.locator("h1, h2, .tiles li, .chart").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(b => [b.x, b.y, b.width, b.height].map(Math.round))"
    )


def test_chart_colours_follow_the_theme(opened: Open) -> None:
    page = opened("good", scheme="dark")

    pixels = _pixels(page.locator("#case-1 .chart[aria-label^=Stages]").screenshot())

    assert _share_of(pixels, DARK["s1"]) > 0.001
    assert _share_of(pixels, LIGHT["s1"]) == 0


def test_hostile_names_are_words_on_the_screen(opened: Open) -> None:
    page = opened("hostile")

    assert page.locator("#overview th.case").first.inner_text() == HOSTILE_NAMES[0]
    shown = page.locator("#overview td.subject").all_inner_texts()
    assert HOSTILE_NAMES[1] in [words.strip() for words in shown]
    assert page.evaluate("document.scripts.length") == 1
    assert page.locator("[onmouseover], [onerror]").count() == 0
    for cell in page.locator("#overview td.subject").all():
        cell.hover()  # an event handler that had got in would open a dialog, which fails the test


@pytest.fixture(scope="module")
def axe() -> str:
    """Source of axe-core, fetched once by npm into `.capbench/`; skips where it cannot be had."""
    folder = _REPOSITORY / ".capbench" / "axe-core"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm, so axe-core cannot be fetched; on Debian: apt-get install npm")
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", _AXE]
        done = subprocess.run(install, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"npm could not fetch {_AXE}: {done.stderr.strip()[-200:]}")
    return source.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in _EVERY), ("good", "dark"), ("software", "dark")]
)
def test_axe_finds_no_violation(opened: Open, axe: str, name: str, scheme: str) -> None:
    page = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.evaluate(axe)

    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in found["violations"]] == []
