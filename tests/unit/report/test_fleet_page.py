"""The page of a folder of several machines: a forest plot, tables that sort, a page of each machine beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from capbench.report import write_report
from capbench.report.charts.canvas import chart_style
from capbench.report.charts.forest import ForestLine, ForestMean, forest_chart
from capbench.report.formats.overview_forms import to_csv
from capbench.report.page.write_page import view_folder
from capbench.report.report_folder import read_folder
from capbench.results import Verdict
from tests.fleet_simulator import LAB, ONE_CASE, SimulatedMachine, write_fleet_folder
from tests.report_simulator import Simulation

_FAST = Simulation(cases=ONE_CASE, blocks=6, trace_samples=0, picture_size=None)
_HOSTILE = "<script>alert('tag')</script>\u202e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three machines, the last of which disagrees and has a tag that is no text."""
    odd = replace(LAB[-1], tags={"lab": _HOSTILE})
    return write_fleet_folder(tmp_path_factory.mktemp("fleet"), [*LAB[:2], odd], _FAST)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return write_report([folder], folder / "index.html").read_text(encoding="utf-8")


def test_the_heading_says_who_disagrees(page: str) -> None:
    heading = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)

    assert heading is not None
    assert "faster on 2 of 3, slower on thinkpad (Intel graphics)" in heading[1]


def test_every_machine_has_a_page_of_its_own_that_leads_back(folder: Path, page: str) -> None:
    for name in ("studio-1", "studio-2", "thinkpad"):
        own = (folder / "machines" / f"{name}.html").read_text(encoding="utf-8")

        assert f'href="machines/{name}.html"' in page
        assert 'href="../index.html"' in own
        assert f"--on%3D{name}--" in own
        assert not any(f"--on%3D{other}--" in own for other in ("studio-1", "studio-2", "thinkpad") if other != name)


def test_the_page_of_a_machine_does_not_speak_of_several(folder: Path, page: str) -> None:  # noqa: ARG001  made first
    own = (folder / "machines" / "studio-1.html").read_text(encoding="utf-8")

    assert "times are not comparable" not in own


def test_a_forest_plot_shows_every_machine_and_the_mean(page: str) -> None:
    plots = re.findall(r"<svg[^>]*aria-label=\"Wall time on each machine.*?</svg>", page, re.DOTALL)

    assert len(plots) == 1
    assert all(name in plots[0] for name in ("studio-1", "studio-2", "thinkpad", "mean of 3"))


def test_both_tables_sort(page: str) -> None:
    for table in ("machine-table", "figure-table"):
        head = re.search(rf'id="{table}".*?</thead>', page, re.DOTALL)

        assert head is not None
        assert head[0].count("<button") >= 5


def test_a_tag_is_text(page: str) -> None:
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_a_page_that_travels_alone_names_no_file(folder: Path, tmp_path: Path) -> None:
    alone = write_report([folder], tmp_path / "alone.html", alone=True)

    assert not (tmp_path / "machines").exists()
    assert "machines/" not in alone.read_text(encoding="utf-8")


def test_nobody_averages_times_of_machines(folder: Path) -> None:
    """Other forms show each machine's case as a case of its own, four times as slow where the machine is."""
    view = view_folder(read_folder(folder), folder, charts=False)
    walls = {row.case: row.wall.value for row in view.rows if row.subject == "cpu"}

    assert set(walls) == {f"4k-1min on {name}" for name in ("studio-1", "studio-2", "thinkpad")}
    assert "slower on thinkpad" in view.headline.sentence
    assert "4k-1min on thinkpad" in to_csv(view)
    assert (walls["4k-1min on thinkpad"] or 0) / (walls["4k-1min on studio-1"] or 1) == pytest.approx(2.1, rel=0.05)


def test_a_link_in_place_of_the_machines_pages_is_refused(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (tmp_path / "machines").symlink_to(target)

    with pytest.raises(OSError, match="symbolic link"):
        write_report([folder], tmp_path / "index.html")


def test_a_fleet_of_hundreds_is_drawn_by_its_ends() -> None:
    lines = [
        ForestLine(f"m{n}", 0.5 + n / 400, (0.4 + n / 400, 0.6 + n / 400), 0.005, Verdict.SAME) for n in range(200)
    ]
    with chart_style():
        chart = forest_chart(
            lines,
            ForestMean("mean of 200", 0.75, (0.7, 0.8), (0.5, 1.0)),
            title="Wall time",
            words="the same",
            margin=0.02,
            prefix="f",
        )

    assert chart is not None
    assert "140 machines between the lowest and the highest" in chart.reading
    assert "m0" in chart.svg
    assert "m199" in chart.svg
    assert ">m100<" not in chart.svg


def test_without_a_ratio_there_is_no_chart() -> None:
    assert forest_chart([], None, title="", words="", margin=None, prefix="f") is None


def test_a_machine_of_every_system_is_described(tmp_path: Path) -> None:
    machines = [SimulatedMachine("only"), LAB[6], LAB[3]]
    page = write_report([write_fleet_folder(tmp_path / "f", machines, _FAST)], tmp_path / "p.html", alone=True)

    assert all(word in page.read_text(encoding="utf-8") for word in ("Linux", "macOS", "Windows", "Apple M2"))
