"""The report as Chromium shows it: silent, offline, usable by mouse and by keyboard, readable in every mode."""

from __future__ import annotations

import io
import re
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
from tests.browser.conftest import DESKTOP as _DESKTOP
from tests.browser.conftest import PHONE as _PHONE
from tests.browser.conftest import Open
from tests.report_simulator import (
    HOSTILE_NAMES,
    STANDARD_CASES,
    STANDARD_SUBJECTS,
    Simulation,
    rename_cases,
    write_simulated_folder,
)

_SMALL = Simulation(cases=STANDARD_CASES[:2], blocks=3, trace_samples=9, picture_size=(320, 180))

Pixels = NDArray[np.uint8]


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
        rename_cases(replace(_SMALL, blocks=1, picture_size=(120, 68)), (HOSTILE_NAMES[0], HOSTILE_NAMES[4])),
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


_EVERY = ["good", "software", "hostile", "empty", "trend", "index"]


@pytest.mark.parametrize("name", _EVERY)
@pytest.mark.parametrize("viewport", [_DESKTOP, _PHONE], ids=["desktop", "phone"])
def test_a_page_is_silent_offline_and_no_wider_than_the_screen(
    opened: Open, name: str, viewport: dict[str, int]
) -> None:
    page = opened(name, viewport=viewport)

    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator("h1").bounding_box()["y"] < 300
    shown = "[...document.images].filter(image => image.checkVisibility())"
    assert page.evaluate(f"{shown}.every(image => image.complete && image.naturalWidth > 0)")


def _column(page: Any, table: str, column: int) -> list[str]:
    return list(page.locator(f"#{table} tbody tr > :nth-child({column})").all_inner_texts())


def test_sorting_by_time_puts_the_fastest_first_then_last(opened: Open) -> None:
    page = opened("good")
    header = page.locator("#overview th", has_text="Export time")

    header.locator("button").click()
    rising = page.locator("#overview tbody td:nth-child(3)").evaluate_all("cells => cells.map(c => +c.dataset.value)")
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").click()
    falling = page.locator("#overview tbody td:nth-child(3)").evaluate_all("cells => cells.map(c => +c.dataset.value)")

    assert rising == sorted(rising)
    assert falling == sorted(rising, reverse=True)
    assert len(rising) == 6
    assert header.get_attribute("aria-sort") == "descending"


def test_what_was_not_measured_sorts_last_either_way(opened: Open) -> None:
    page = opened("software")
    header = page.locator("#overview th", has_text="Software time").locator("button")

    for _ in range(2):
        header.click()
        assert _column(page, "overview", 3)[-1] == "\N{EN DASH}"


def test_sorting_works_from_the_keyboard(opened: Open) -> None:
    page = opened("good")
    button = page.locator("#overview th button").nth(1)

    button.focus()
    page.keyboard.press("Enter")

    assert _column(page, "overview", 2) == sorted(_column(page, "overview", 2))


def test_a_phone_shows_time_and_verdict_and_that_the_table_goes_on(opened: Open) -> None:
    page = opened("good", viewport=_PHONE)
    row = page.locator("#overview tbody tr").nth(2)
    assert row.locator(".subject").inner_text().split() == ["gpu", "1080p-1min"]
    for cell in (row.locator("td.num").first, row.locator("td.effect"), row.locator(".chip")):
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= _PHONE["width"]
    assert page.locator(".scroll-hint").first.is_visible()

    # A shadow lies at the side from which columns come, and goes when the last one is there.
    table = page.locator(".scroll").first
    edge = (slice(60, -20), slice(-4, None))
    before = _pixels(table.screenshot())[edge].astype(int)
    table.evaluate("element => { element.scrollLeft = element.scrollWidth }")
    after = _pixels(table.screenshot())[edge].astype(int)
    assert np.median(before) < 225
    assert np.median(after) > 250


@pytest.mark.parametrize("width", [390, 360, 320])
def test_no_card_breaks_inside_a_word(opened: Open, width: int) -> None:
    page = opened("good", viewport={"width": width, "height": 800})

    for card in page.locator(".tiles .what").all():
        label = card.inner_text().split("\n")[0].split()
        widths = card.evaluate("element => [element.scrollWidth, element.clientWidth]")
        assert widths[0] <= widths[1]
        assert label[0] in ("Export", "Peak", "Readback", "Quality")


def test_a_figure_of_quality_stays_on_one_line(opened: Open) -> None:
    page = opened("good", viewport={"width": 1024, "height": 900})

    figure = page.locator("#overview td.quality b", has_text="PSNR").first
    assert re.fullmatch(r"PSNR Y 43\.\d\d dB", figure.inner_text())
    assert len(figure.evaluate("element => [...element.getClientRects()].map(r => r.top)")) == 1


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

    assert page.locator("#overview tbody th.case").first.inner_text() == HOSTILE_NAMES[0]
    shown = page.locator("#overview tbody .subject").all_inner_texts()
    assert HOSTILE_NAMES[1] in [words.strip() for words in shown]
    assert page.evaluate("document.scripts.length") == 1
    assert page.locator("[onmouseover], [onerror]").count() == 0
    for cell in page.locator("#overview tbody .subject").all():
        cell.hover()  # an event handler that had got in would open a dialog, which fails the test


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in _EVERY), ("good", "dark"), ("software", "dark")]
)
def test_axe_finds_no_violation(opened: Open, axe: str, name: str, scheme: str) -> None:
    page = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.evaluate(axe)

    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in found["violations"]] == []
