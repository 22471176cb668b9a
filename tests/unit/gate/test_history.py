"""History: what is kept, where a level changed, and that a new machine is no change."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app
from capbench.errors import ResultError
from capbench.gate.history.series import (
    HistoryEntry,
    HistoryFigure,
    Trend,
    TrendList,
    entry_of,
    read_history,
    trends,
    with_entries,
)
from capbench.gate.statistics.change_points import find_steps
from tests.gate_folders import write_runs
from tests.gate_runs import noisy, runs_table


def entry(night: int, wall_s: float, *, machine: str = "a", psnr: float = 40.0) -> HistoryEntry:
    """One night's figures."""
    common = {"case": "1080p", "subject": "gpu", "blocks": 5}
    figures = (
        HistoryFigure(metric="wall_s", median=wall_s, low=wall_s, high=wall_s, **common),
        HistoryFigure(metric="readback_bytes", median=3e6, low=3e6, high=3e6, **common),
        HistoryFigure(metric="quality.psnr_y.mean", median=psnr, low=psnr, high=psnr, **common),
    )
    return HistoryEntry(
        taken_at=f"2026-01-{night + 1:02d}T03:00:00Z",
        folder=f"night-{night}",
        revision=f"rev{night}",
        machine=machine,
        figures=figures,
    )


def wall_trend(entries: list[HistoryEntry]) -> list[Trend]:
    return list(trends(entries, metric="wall_s"))


def test_a_step_is_found_at_its_first_night_with_both_revisions() -> None:
    walls = [*noisy(10, sd=0.01), *noisy(10, ratio=1.08, sd=0.01, seed=2)]

    (trend,) = wall_trend([entry(night, wall) for night, wall in enumerate(walls)])

    (step,) = trend.steps
    assert (step.previous_revision, step.revision) == ("rev9", "rev10")
    assert step.after / step.before == pytest.approx(1.08, abs=0.01)


def test_one_bad_night_is_no_step() -> None:
    walls = noisy(20, sd=0.01)
    walls[7] *= 1.5

    assert wall_trend([entry(night, wall) for night, wall in enumerate(walls)])[0].steps == ()


def test_a_new_machine_is_a_new_series_and_no_step() -> None:
    """Twice as fast from the eleventh night on, on another machine; back on the old one at the end."""
    nights = [entry(night, wall) for night, wall in enumerate(noisy(10, sd=0.01))]
    nights += [entry(10 + night, wall, machine="b") for night, wall in enumerate(noisy(8, ratio=0.5, sd=0.01))]
    nights += [entry(18 + night, wall) for night, wall in enumerate(noisy(8, sd=0.01, seed=3))]

    found = wall_trend(nights)

    assert [(trend.machine, len(trend.medians)) for trend in found] == [("a", 18), ("b", 8)]
    assert all(trend.steps == () for trend in found)


def test_counted_bytes_and_quality_change_by_their_own_measure() -> None:
    nights = [entry(night, 1.0, psnr=40.0 if night < 6 else 39.95) for night in range(12)]

    found = {trend.metric: trend for trend in trends(nights)}

    assert found["readback_bytes"].steps == ()
    (step,) = found["quality.psnr_y.mean"].steps
    assert (step.before, step.after) == (40.0, 39.95)


def test_series_without_a_step_are_rarely_marked() -> None:
    """The rate that the module promises, from 200 series of 12 points; the bound is that of a 3% rate at 1 in 1000."""
    rng = np.random.default_rng(1)

    marked = sum(bool(find_steps(list(rng.normal(0, 0.02, 12)), resolution=0.002)) for _ in range(200))

    assert marked <= 14


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 1.0, 2.0, 5.0]])
def test_a_handful_of_points_has_no_step(values: list[float]) -> None:
    assert find_steps(values, resolution=0.002) == ()


def test_an_entry_keeps_medians_and_ratios() -> None:
    runs = pd.concat(
        [
            runs_table("cpu", [2.0, 2.0, 2.6], started_at="2026-01-01T00:00:00Z", revision="abc"),
            runs_table("gpu", [1.0, 1.0, 1.3], started_at="2026-01-01T00:01:00Z", revision="abc"),
        ]
    )

    taken = entry_of(runs, "today")

    figures = {(figure.subject, figure.metric): figure for figure in taken.figures}
    assert (taken.taken_at, taken.revision, taken.machine) == ("2026-01-01T00:00:00Z", "abc", "machine-a")
    assert (figures["cpu", "wall_s"].median, figures["cpu", "wall_s"].high, figures["cpu", "wall_s"].blocks) == (
        2,
        2.6,
        3,
    )
    assert figures["gpu", "wall_s/cpu"].median == 0.5


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (runs_table("cpu", []), "no finished run"),
        (runs_table("cpu", [1.0]), "no start time"),
        (runs_table("cpu", [1.0, 1.0], fingerprint=["a", "b"]), "runs from 2 machines"),
    ],
)
def test_what_cannot_be_added_says_why(runs: pd.DataFrame, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        entry_of(runs, "today")


def test_adding_a_folder_twice_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"

    assert with_entries(path, [entry(1, 1.0), entry(0, 1.0)]) == 2
    assert with_entries(path, [entry(1, 1.5)]) == 2

    assert [kept.folder for kept in read_history(path)] == ["night-0", "night-1"]
    assert read_history(path)[1].figures[0].median == 1.5


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_figure_that_is_no_number_is_a_damaged_line(value: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    line = entry(0, 1.25).model_dump_json()
    path.write_text(line.replace('"median":1.25', f'"median":{value}'), encoding="utf-8")

    with pytest.raises(ResultError, match=r"history\.jsonl:1: not an entry"):
        read_history(path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(entry(0, 1.0).model_dump_json() + "\n{\n", encoding="utf-8")

    with pytest.raises(ResultError, match=r"history\.jsonl:2: not an entry"):
        read_history(path)


def test_the_verbs_add_every_folder_and_show_the_step(tmp_path: Path) -> None:
    for night in range(8):
        ratio = 1.0 if night < 4 else 1.2
        for subject, times in (("cpu", 1.0), ("gpu", ratio)):
            write_runs(
                tmp_path / "reports" / f"night-{night}",
                subject,
                noisy(3, ratio=times, sd=0.002, seed=night),
                started_at=f"2026-01-{night + 1:02d}T03:00:00Z",
                revision=f"rev{night}",
            )
    history = str(tmp_path / "history.jsonl")

    added = CliRunner().invoke(app, ["history", "add", str(tmp_path / "reports"), "--history", history])
    shown = CliRunner().invoke(app, ["history", "show", "--history", history, "--metric", "wall_s", "--json", "-"])
    table = CliRunner().invoke(app, ["history", "show", "--history", history, "--metric", "wall_s"])

    assert added.exit_code == 0, added.output
    assert re.findall(r"(\d+) (?:added|in total)", added.stdout) == ["8", "8"]
    found = {trend.subject: trend for trend in TrendList.model_validate_json(shown.stdout).trends}
    assert [step.revision for step in found["gpu"].steps] == ["rev4"]
    assert found["cpu"].steps == ()
    assert "1 of 2 series" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show"], "no history in"),
        (["add", "absent"], "no result folder at absent"),
    ],
)
def test_wrong_use_exits_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["history", *arguments, "--history", str(tmp_path / "history.jsonl")])

    assert result.exit_code == 2
    assert message in result.stderr
