"""What stages could deliver alone: beside the exports, and in no verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from capbench.gate.compare_targets import compare, compare_folder
from capbench.gate.history.baseline_figures import take_baseline
from capbench.report import write_report
from capbench.report.aggregate import all_cells_of, cells_of
from capbench.report.capacity import CapacityRow, capacity_rows
from capbench.report.formats.terminal import run_table
from capbench.report.report_folder import read_folder
from capbench.results import RunResult
from capbench.results.folder import read_folder as read_contents
from capbench.results.folder import run_file_name
from capbench.results.run_record import RunRole
from capbench.results.tidy_table import table_of

FRAMES = 600
SETUP_S = 2.0


def write_folder(folder: Path, rates: Mapping[str, float], *, blocks: int = 6, failing: str = "") -> Path:
    """Runs of one case: subject to its frames a second after two seconds of set-up, a little faster every block."""
    (folder / "runs").mkdir(parents=True)
    for block in range(blocks):
        for order, (subject, rate) in enumerate(rates.items()):
            run = RunResult(
                case="4k",
                subject=subject,
                block=block,
                order=order,
                started_at=f"2026-03-02T09:14:{block:02d}.000Z",
                fingerprint="m",
                frames=FRAMES,
                wall_s=SETUP_S + FRAMES / rate * (1 - 0.0001 * block),
                setup_s=SETUP_S,
                fps=FRAMES / (SETUP_S + FRAMES / rate),
                error="no adapter" if subject == failing else None,
            )
            name = run_file_name("4k", subject, RunRole.MEASURE, block)
            (folder / "runs" / name).write_text(run.model_dump_json(), encoding="utf-8")
    plan = {"matrix": {"name": "m", "cases": [{"name": "4k", "subjects": list(rates)}]}}
    (folder / "matrix.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder


def rows_of(folder: Path) -> tuple[CapacityRow, ...]:
    return capacity_rows(all_cells_of(read_folder(folder)))


@pytest.mark.parametrize(
    ("decoding", "drawing", "exporting", "who"),
    [
        (290, 254, 96, "the encoder sets the pace"),
        (290, 100, 99, "drawing sets the pace"),
        (290, 289, 288, "decoding sets the pace"),
        (None, 254, 96, "the encoder sets the pace"),
        (None, 100, 99, "decoding or drawing sets the pace"),
        (290, None, 288, "decoding sets the pace"),
        (290, None, 96, "drawing or the encoder sets the pace"),
    ],
)
def test_the_slowest_part_sets_the_pace(
    tmp_path: Path, decoding: float | None, drawing: float | None, exporting: float, who: str
) -> None:
    rates = {"decode-only": decoding, "capacity-gpu": drawing, "gpu": exporting}
    (row,) = rows_of(write_folder(tmp_path / "r", {name: rate for name, rate in rates.items() if rate}))

    assert (row.case, row.subject) == ("4k", "gpu")
    for got, want in ((row.decoding_fps, decoding), (row.drawing_fps, drawing), (row.export_fps, exporting)):
        # Set-up counts for none of them, or each would seem slower than it is.
        assert got == (None if want is None else pytest.approx(want, rel=0.01))
    assert who in row.sentence
    for stage, rate in (("drawing", drawing), ("decoding", decoding)):
        assert (f"{stage} alone" in row.sentence) is (rate is not None)


def test_terminal_and_page_show_the_ceiling_and_no_row_of_an_export(tmp_path: Path) -> None:
    rates = {"floor": 110, "cpu": 50, "gpu": 96, "capacity-gpu": 254, "decode-only": 290}
    folder = write_folder(tmp_path / "r", rates)
    console = Console(width=200, record=True)
    console.print(run_table(read_folder(folder)))
    table = console.export_text()
    write_report([folder], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert list(cells_of(read_folder(folder))["4k"]) == ["floor", "cpu", "gpu"]
    for text in (table, page):
        assert "the encoder sets the pace: 96 frames/s; drawing alone 254 frames/s, decoding alone 290 frames/s" in text
    assert 'data-subject="capacity-gpu"' not in page
    assert 'data-subject="gpu"' in page


def test_nothing_is_said_where_nothing_was_measured_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "r", {"floor": 110, "gpu": 96})
    write_report([folder], tmp_path / "page.html")

    assert rows_of(folder) == ()
    assert 'id="capacities"' not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_folder_of_capacities_alone_has_a_page(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "r", {"capacity-gpu": 254, "decode-only": 290})
    write_report([folder], tmp_path / "page.html")

    (row,) = rows_of(folder)
    assert row.export_fps is None
    assert "254" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_failed_capacity_is_no_silence(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "r", {"gpu": 96, "capacity-gpu": 254}, failing="capacity-gpu")
    console = Console(width=200, record=True)
    console.print(run_table(read_folder(folder)))

    assert "no adapter" in console.export_text()


def test_capacities_are_in_no_verdict_baseline_or_base(tmp_path: Path) -> None:
    rates = {"capacity-cpu": 60, "decode-only": 290, "cpu": 50, "gpu": 96, "capacity-gpu": 254}
    folder = write_folder(tmp_path / "r", rates)
    later = write_folder(tmp_path / "s", rates)

    within, between = compare_folder(folder), compare(folder, later)
    for comparison in (within, between):
        named = {side.split(":")[-1] for verdict in comparison.verdicts for side in (verdict.base, verdict.new)}
        assert named <= {"cpu", "gpu"}
    assert read_contents(folder).runs  # they are recorded all the same
    assert all(run.times_floor is None for run in read_contents(folder).runs if run.subject == "capacity-gpu")
    table = table_of([read_contents(folder)])
    assert "capacity-gpu" in set(table["subject"])
    with pytest.raises(ValueError, match="capacity-gpu"):
        compare(f"{folder}:cpu", f"{folder}:capacity-gpu")
    with pytest.raises(ValueError, match="decode-only"):
        compare_folder(folder, base="decode-only")
    with pytest.raises(ValueError, match="nothing to take a baseline from"):
        take_baseline(table[table["subject"].isin(["capacity-gpu", "decode-only"])])
