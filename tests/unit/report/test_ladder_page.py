"""Ladders on the page: their charts, their table, and names from outside."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from capbench.gate.compare_targets import compare_folder
from capbench.gate.gate_file import GateFile, GateSettings
from capbench.gate.ladder_costs import ladder_costs
from capbench.report.page.ladder_view import LadderView, arrange_ladders
from capbench.report.page.write_page import view_folder
from capbench.report.palette import style_subjects
from capbench.report.report_folder import read_folder
from capbench.report.rung_rows import rung_row, rung_words
from capbench.report.wording import MISSING
from tests.ladder_folders import COSTS, RUNGS, ladder_runs, write_ladder
from tests.report_simulator import HOSTILE_NAMES


def _view(*, charts: bool = True, blocks: int = 6) -> LadderView:
    costs = ladder_costs(ladder_runs(blocks=blocks), {"540p": RUNGS})
    (view,) = arrange_ladders(costs, style_subjects(COSTS), charts=charts)
    return view


def test_each_rung_has_a_row_for_each_subject_with_its_cost() -> None:
    view = _view(charts=False)

    assert [(row.rung, row.subject) for row in view.rows] == [
        (rung, subject) for rung in ("1-bare", "2-framed", "3-zooms") for subject in COSTS
    ]
    assert [row.added for row in view.rows[:2]] == [MISSING, MISSING]
    framed = next(row for row in view.rows if (row.rung, row.subject) == ("2-framed", "gpu"))
    assert float(framed.added.split("%")[0]) == pytest.approx(40, abs=2)
    assert framed.seconds.startswith("+")
    assert "to" in framed.interval
    assert "to" in framed.floor_interval
    assert not framed.note
    assert view.charts == ()


def test_charts_show_every_subject_and_say_what_they_show() -> None:
    view = _view()

    assert len(view.charts) == 2
    for chart in view.charts:
        texts = {element.text for element in ET.fromstring(chart.svg).iter() if element.text}
        assert set(COSTS) <= texts
        assert "style=" not in chart.svg
    assert "2-framed" in view.charts[1].reading


def test_one_block_is_drawn_without_intervals() -> None:
    view = _view(blocks=1)

    assert len(view.charts) == 2
    assert all(not row.interval for row in view.rows)


def test_hostile_names_are_text() -> None:
    rungs = dict(zip(RUNGS, HOSTILE_NAMES[:3], strict=True))
    runs = ladder_runs(blocks=3)
    runs["case"] = runs["case"].map(rungs)
    runs["subject"] = runs["subject"].replace({"cpu": HOSTILE_NAMES[4]})
    costs = ladder_costs(runs, {HOSTILE_NAMES[3]: tuple(rungs.values())})

    (view,) = arrange_ladders(costs, style_subjects([HOSTILE_NAMES[4], "gpu"]), charts=True)

    for chart in view.charts:
        ET.fromstring(chart.svg)
        assert "<script" not in chart.svg


def test_the_page_judges_ladders_by_the_gate_file_as_compare_does(tmp_path: Path) -> None:
    """It took the default levels, so that page and terminal showed two intervals of one cost."""
    folder = write_ladder(tmp_path / "results", blocks=6)
    gates = GateFile(gate=GateSettings(margin_error=0.2))

    (shown,) = view_folder(read_folder(folder), None, gates, charts=False).ladders

    (judged,) = compare_folder(folder, gates).ladders
    assert shown.rows == tuple(rung_row(cost, judged) for cost in judged.costs)


@pytest.mark.parametrize(
    ("rungs", "words"),
    [
        (("1080p-1-bare", "1080p-2-framed"), ("1-bare", "2-framed")),
        (("bare", "framed"), ("bare", "framed")),
        (("a", "ab"), ("a", "b")),
        (("only",), ("only",)),
    ],
)
def test_a_rung_is_called_by_what_tells_it_from_the_others(rungs: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert tuple(rung_words(rung, rungs) for rung in rungs) == words
