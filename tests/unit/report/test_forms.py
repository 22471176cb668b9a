"""The first screen as markdown, JSON, CSV and PNG, and the verb that writes them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.report.formats.overview_forms import to_csv, to_json, to_markdown
from capbench.report.formats.overview_png import to_png
from capbench.report.page.folder_view import FolderView
from capbench.report.page.write_page import view_folder
from capbench.report.palette import LIGHT
from capbench.report.report_folder import read_folder
from tests.report_simulator import (
    HOSTILE_NAMES,
    STANDARD_CASES,
    STANDARD_SUBJECTS,
    Simulation,
    rename_cases,
    write_simulated_folder,
)

_SMALL = Simulation(cases=STANDARD_CASES[:2], blocks=6, trace_samples=0, picture_size=None)
_FORMULA = '=HYPERLINK("http://example.invalid")'


def _view(tmp_path: Path, simulation: Simulation) -> FolderView:
    folder = write_simulated_folder(tmp_path / "results", simulation)
    return view_folder(read_folder(folder), folder, charts=False)


def _hostile() -> Simulation:
    subjects = tuple(
        replace(STANDARD_SUBJECTS[1], name=name) for name in (*HOSTILE_NAMES, "a | b\nc", _FORMULA, "@team")
    )
    return replace(rename_cases(_SMALL, HOSTILE_NAMES[:2]), subjects=subjects, blocks=1)


def test_markdown_has_the_verdict_and_a_row_for_each_case_and_subject(tmp_path: Path) -> None:
    lines = to_markdown(_view(tmp_path, _SMALL)).splitlines()

    assert re.fullmatch(r"\*\*gpu exports 4k-1min in \d\d% less time than cpu .*\*\* \(better\)", lines[0])
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 1 + 6
    assert {row.count("|") for row in rows} == {11}


def test_markdown_keeps_hostile_names_inside_their_cells(tmp_path: Path) -> None:
    text = to_markdown(_view(tmp_path, _hostile()))

    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 2 * 8
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {11}
    assert "<script" not in text
    assert "<b>" not in text
    assert "@team" not in text


def test_json_holds_the_same_figures_and_null_for_what_was_not_measured(tmp_path: Path) -> None:
    simulation = replace(_SMALL, failing={("4k-1min", "cpu"): "died"})

    content = json.loads(to_json(_view(tmp_path, simulation)))

    rows = {(row["case"], row["subject"]): row for row in content["rows"]}
    assert len(rows) == 6
    assert rows["4k-1min", "cpu"]["wall_s"] is None
    assert rows["4k-1min", "cpu"]["quality_is_bad"] is True
    assert rows["1080p-1min", "gpu"]["readback_bytes"] == 1920 * 1080 * 1800 * 3 // 2
    assert rows["1080p-1min", "gpu"]["ratio"] == pytest.approx(1.5 / 2.6, rel=0.1)  # simulated with 2% noise
    assert content["comparison"]["new"] == "gpu"


def test_csv_reads_back_and_starts_no_formula(tmp_path: Path) -> None:
    view = _view(tmp_path, _hostile())

    rows = list(csv.DictReader(io.StringIO(to_csv(view))))

    assert [row["case"] for row in rows] == [row.case for row in view.rows]
    subjects = {row["subject"] for row in rows}
    assert f"'{_FORMULA}" in subjects
    assert "'@team" in subjects
    assert not [name for name in subjects if name[0] in "=+-@"]


@pytest.mark.parametrize(
    "simulation", [_SMALL, replace(_SMALL, blocks=0), _hostile()], ids=["plain", "empty", "hostile"]
)
def test_the_picture_is_a_png_that_shows_something(tmp_path: Path, simulation: Simulation) -> None:
    picture = np.asarray(Image.open(io.BytesIO(to_png(_view(tmp_path, simulation), scale=1.0))).convert("RGB"))

    assert picture.shape[1] == 860
    blue = tuple(int(LIGHT["s2"][at : at + 2], 16) for at in (1, 3, 5))
    has_blue = bool((np.abs(picture.astype(int) - blue).max(axis=2) < 3).any())
    assert has_blue == (simulation.blocks > 0)  # the bars of one subject
    assert (picture < 90).any()  # the words of the verdict


def _invoke(*arguments: object) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, ["report", *map(str, arguments)])
    return outcome.exit_code, outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ([], "results/index.html"),
        (["-o", "{}/page.html"], "page.html"),
        (["--format", "png"], "results/report.png"),
        (["-o", "{}/table.md"], "table.md"),
        (["-o", "{}/table.csv"], "table.csv"),
        (["-o", "{}/all.json"], "all.json"),
    ],
)
def test_the_verb_writes_the_file_and_prints_its_name(tmp_path: Path, arguments: list[str], file: str) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, cases=STANDARD_CASES[:1], blocks=1))

    code, printed = _invoke(folder, *(argument.format(tmp_path) for argument in arguments))

    assert code == 0
    assert printed.strip() == str(tmp_path / file)
    assert (tmp_path / file).stat().st_size > 100


def test_the_verb_prints_json_alone(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, blocks=1))

    code, printed = _invoke(folder, "--format", "json")

    assert code == 0
    assert json.loads(printed)["folder"] == "results"


def test_the_verb_lists_a_folder_of_result_folders(tmp_path: Path) -> None:
    write_simulated_folder(tmp_path / "reports" / "first", replace(_SMALL, blocks=0))

    code, printed = _invoke(tmp_path / "reports")

    assert (code, printed.strip()) == (0, str(tmp_path / "reports" / "index.html"))


def test_the_verb_refuses_several_folders_in_a_form_of_one(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, blocks=0))

    outcome = CliRunner().invoke(app, ["report", str(folder), str(folder), "--format", "csv"])

    assert outcome.exit_code == 2
    assert "csv shows one folder, got 2" in outcome.stderr
