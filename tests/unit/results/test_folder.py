"""Result folders: written whole, read whatever their state, tidy as a table, and handed to other tools."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import OutputError, ResultError
from capbench.report.formats.run_tables import EXPORTERS
from capbench.results import (
    Check,
    CheckStatus,
    MetricSummary,
    RunResult,
    RunRole,
    StageTimes,
    ValidationReport,
)
from capbench.results.environment import Environment
from capbench.results.folder import (
    DamagedResultWarning,
    read_folder,
    read_run,
    run_file_name,
    with_times_floor,
    write_record,
)
from capbench.results.schema import SCHEMA_FILE, run_schema_text
from capbench.results.tidy_table import load

_VERSION_1 = Path(__file__).parent / "run_version_1.json"


def _run(subject: str = "gpu", block: int = 0, wall_s: float | None = 2.0, **more: Any) -> RunResult:
    values: dict[str, Any] = {
        "case": "1080p",
        "subject": subject,
        "block": block,
        "wall_s": wall_s,
        "fingerprint": "aaaa",
    }
    return RunResult(**(values | more))


def _validated() -> ValidationReport:
    summary = MetricSummary(
        mean=41.5, harmonic_mean=41.0, p5=40.0, p1=39.5, worst=39.0, worst_frame=7, frames=30, unit="dB"
    )
    return ValidationReport(
        reference="a.mp4",
        output="b.mp4",
        checks=(
            Check(name="frames.missing", status=CheckStatus.PASS, message="none"),
            Check(name="colour.matrix", status=CheckStatus.FAIL, message="601"),
        ),
        metrics={"psnr_y": summary},
        av_offset_ms=1.5,
    )


def _folder(path: Path, runs: Sequence[RunResult], environment: Environment | None = None) -> Path:
    (path / "runs").mkdir(parents=True)
    for run in runs:
        write_record(path / "runs" / run_file_name(run.case, run.subject, run.role, run.block), run)
    write_record(path / "environment.json", environment or Environment(fingerprint="aaaa"))
    return path


def test_a_run_survives_the_file(tmp_path: Path) -> None:
    run = _run(stages={"encode": StageTimes(work_s=1, wait_input_s=0.5, wait_output_s=0)}, validation=_validated())

    write_record(tmp_path / "run.json", run)

    assert read_run(tmp_path / "run.json") == run


@pytest.mark.parametrize(
    ("role", "block", "name"),
    [
        (RunRole.MEASURE, 0, "4k--gpu--b000.json"),
        (RunRole.MEASURE, 1234, "4k--gpu--b1234.json"),
        (RunRole.WARMUP, -1, "4k--gpu--warmup.json"),
        (RunRole.DRIFT_START, -2, "4k--gpu--drift-start.json"),
        (RunRole.DRIFT_END, -3, "4k--gpu--drift-end.json"),
    ],
)
def test_file_names(role: RunRole, block: int, name: str) -> None:
    assert run_file_name("4k", "gpu", role, block) == name


def test_times_floor_uses_measured_floor_runs_of_the_same_case() -> None:
    runs = with_times_floor(
        [
            _run("floor", 0, 1.0),
            _run("floor", 1, 3.0),
            _run("floor", -2, 50.0, role=RunRole.DRIFT_START),
            _run("floor", 2, 9.0, error="killed"),
            _run("gpu", 0, 4.0),
            _run("gpu", 0, 4.0, case="4k"),
            _run("gpu", 1, None, error="failed"),
        ]
    )

    assert runs[4].times_floor == 2.0
    assert runs[5].unmeasured == {"times_floor": "no floor run of this case succeeded"}
    assert runs[6].unmeasured == {"times_floor": "the run has no wall time"}


def test_a_file_of_version_1_still_loads() -> None:
    """The committed file is never to be changed: it stands for the folders that users have."""
    run = read_run(_VERSION_1)

    assert (run.case, run.subject, run.block, run.wall_s, run.frames) == ("1080p", "gpu", 3, 4.21, 90)
    assert run.stages["encode"].work_s == 3.5


def test_the_published_schema_is_what_the_records_say() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == run_schema_text(), (
        f"update it: python -m capbench.results.schema > {SCHEMA_FILE}"
    )


@pytest.mark.parametrize("run", [_run(), _run(validation=_validated(), error="x", wall_s=None), read_run(_VERSION_1)])
def test_runs_follow_the_published_schema(run: RunResult) -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.Draft202012Validator(schema).validate(json.loads(run.model_dump_json()))


def test_the_published_schema_refuses_a_foreign_object() -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))

    for foreign in ({"speed": 3}, {"case": "a", "subject": "b", "block": "first"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(foreign)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"schema_version": 1, "case": "a", "sub', "half written or not JSON"),
        ("", "half written or not JSON"),
        ("[1, 2]", "not a result of capbench (no schema_version)"),
        ('{"wall": 3}', "not a result of capbench (no schema_version)"),
        ('{"schema_version": 1, "case": "a", "subject": "b"}', "block: Field required"),
        ('{"schema_version": 0}', "nothing upgrades schema version 0"),
    ],
)
def test_a_damaged_file_is_left_out_and_named(tmp_path: Path, content: str, problem: str) -> None:
    folder = _folder(tmp_path / "out", [_run()])
    (folder / "runs" / "broken.json").write_text(content)

    contents = read_folder(folder)

    assert len(contents.runs) == 1
    (said,) = contents.problems
    assert said.startswith(f"{folder / 'runs' / 'broken.json'} was left out: {problem}")
    with pytest.warns(DamagedResultWarning, match=r"broken\.json was left out"):
        assert len(load(folder)) == 1


def test_a_newer_folder_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "out", [_run()])
    (folder / "runs" / "new.json").write_text('{"schema_version": 99}')

    with pytest.raises(ResultError, match="has schema version 99, this program reads up to 1; use a newer capbench"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _path: None, "no result folder at"),
        (lambda path: path.mkdir(), "has no runs/"),
        (lambda path: path.write_text("x"), "no result folder at"),
    ],
)
def test_a_foreign_folder_is_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "out")

    with pytest.raises(ResultError, match=message):
        read_folder(tmp_path / "out")


def test_a_record_that_cannot_be_written_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"cannot write the result .*--resume"):
        write_record(tmp_path / "file" / "run.json", _run())


def test_the_table_has_a_row_a_run_and_a_column_a_figure(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path / "out",
        [
            _run("floor", 0, 1.0),
            _run(stages={"encode": StageTimes(work_s=1, wait_input_s=0.5, wait_output_s=0)}, validation=_validated()),
            _run(block=1, wall_s=None, error="killed"),
        ],
    )

    table = load(folder)

    rows = {(row["subject"], row["block"]): row for row in table.to_dict("records")}
    assert len(rows) == len(table) == 3
    gpu = rows["gpu", 0]
    assert gpu["folder"] == str(folder)
    assert gpu["times_floor"] == 2.0
    assert gpu["stage.encode.work_s"] == 1.0
    assert gpu["quality.psnr_y.p5"] == 40.0
    assert gpu["quality.av_offset_ms"] == 1.5
    assert bool(gpu["validation.passed"]) is False
    assert gpu["validation.failures"] == ("colour.matrix",)
    assert math.isnan(rows["gpu", 1]["wall_s"])
    assert rows["gpu", 1]["error"] == "killed"
    assert table["gpu_busy_s"].dtype == float  # a column without a value is still a number


def test_an_empty_folder_is_an_empty_table(tmp_path: Path) -> None:
    table = load(_folder(tmp_path / "out", []))

    assert len(table) == 0
    assert {"folder", "case", "subject", "wall_s"} <= set(table.columns)


def test_folders_of_several_machines_stay_apart(tmp_path: Path) -> None:
    one = _folder(tmp_path / "one", [_run("floor", 0, 1.0), _run()])
    other = _folder(tmp_path / "other", [_run("floor", 0, 4.0, fingerprint="bbbb"), _run(fingerprint="bbbb")])

    table = load(one, other)

    gpu = table[table["subject"] == "gpu"].set_index("fingerprint")
    assert gpu["times_floor"].to_dict() == {"aaaa": 2.0, "bbbb": 0.5}
    assert set(table["folder"]) == {str(one), str(other)}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Two blocks of floor and gpu, a warm-up, and a failed run."""
    return _folder(
        tmp_path / "out",
        [
            _run("floor", 0, 1.0),
            _run("floor", 1, 3.0),
            _run("gpu", 0, 4.0, warnings=("hot", "loud"), readback_bytes=3_000_000),
            _run("gpu", 1, 8.0, readback_bytes=3_000_000),
            _run("gpu", -1, 99.0, role=RunRole.WARMUP),
            _run("cpu", 0, None, error="killed"),
        ],
    )


def _export(folder: Path, form: str) -> bytes:
    return EXPORTERS[form]([read_folder(folder)])


def test_csv_and_parquet_hold_every_run(exported: Path) -> None:
    from_csv = pd.read_csv(io.BytesIO(_export(exported, "csv")))
    from_parquet = pd.read_parquet(io.BytesIO(_export(exported, "parquet")))

    for table in (from_csv, from_parquet):
        assert len(table) == 6
        assert table.set_index(["subject", "block"]).loc[("gpu", 0), "warnings"] == "hot; loud"
        assert table["wall_s"].max() == 99.0


def test_markdown_holds_medians_of_measured_runs(exported: Path) -> None:
    lines = _export(exported, "markdown").decode().splitlines()

    assert lines[2:] == [
        "| 1080p | floor | 2 | 2.000 | 1.00 | - | - | - | - | - |",
        "| 1080p | gpu | 2 | 6.000 | 3.00 | - | - | - | 3.0 | - |",
    ]


def test_pytest_benchmark_reads_its_file(exported: Path, tmp_path: Path) -> None:
    storage = tmp_path / "storage" / "machine"
    storage.mkdir(parents=True)
    (storage / "0001_mine.json").write_bytes(_export(exported, "pytest-benchmark"))

    shown = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", f"--storage={storage.parent}", "compare", "--csv=out.csv"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    ).stdout

    assert "1080p[gpu]" in shown
    table = pd.read_csv(tmp_path / "out.csv").set_index("name")
    gpu = table[table.index.str.endswith("[gpu]")].iloc[0]
    assert (gpu["min"], gpu["max"], gpu["mean"], gpu["median"], gpu["rounds"]) == (4.0, 8.0, 6.0, 6.0, 2)


def test_github_action_benchmark_gets_smaller_is_better(exported: Path) -> None:
    entries = {entry["name"]: entry for entry in json.loads(_export(exported, "github-action-benchmark"))}

    assert entries["1080p/gpu"]["value"] == 6.0
    assert entries["1080p/gpu"]["unit"] == "s"
    assert entries["1080p/gpu times floor"]["value"] == 3.0
    assert not any("cpu" in name for name in entries)


def test_bencher_gets_nanoseconds_with_bounds(exported: Path) -> None:
    measures = json.loads(_export(exported, "bencher"))["1080p/gpu"]

    assert measures["latency"] == {"value": 6e9, "lower_value": 4e9, "upper_value": 8e9}
    assert measures["readback"]["value"] == 3_000_000
    assert "peak-rss" not in measures


def test_the_verb_writes_a_file_and_names_unknown_formats(exported: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"

    done = CliRunner().invoke(app, ["results", str(exported), "--to", "bencher", "-o", str(target)])
    wrong = CliRunner().invoke(app, ["results", str(exported), "--to", "excel"])

    assert done.exit_code == 0
    assert "1080p/gpu" in json.loads(target.read_text())
    assert wrong.exit_code == 2
    assert re.search("'excel'.*csv, parquet, markdown", wrong.output)
