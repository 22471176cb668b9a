"""Files of a made-up future: fields that this version does not know are read, kept and shown to nobody as wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from capbench.errors import MatrixError, ResultError
from capbench.gate.calibration import read_calibration
from capbench.gate.compare_targets import compare_folder
from capbench.gate.history.baseline_figures import read_baseline, take_baseline, write_baseline
from capbench.gate.history.series import entry_of, read_history, with_entries
from capbench.gate.sequential.interim_looks import InterimLook, read_looks, write_looks
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import Plan
from capbench.installation import version_of
from capbench.report.page.write_page import write_report
from capbench.results.folder import read_folder, read_run, write_record
from capbench.results.record import unknown_fields
from capbench.results.run_record import RunResult
from capbench.results.schema import SCHEMA_FILE
from capbench.results.tidy_table import table_of
from tests.gate_folders import write_plan, write_runs
from tests.gate_runs import noisy

_FUTURE: dict[str, Any] = {"joules": 3.5, "thumbnails": {"first": "a.png"}, "tiles": [1, {"x": 2}], "mood": None}


def _add(file: Path, **fields: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_bytes()) | fields), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs, their stages and their validation with fields of the future."""
    path = tmp_path / "future"
    write_plan(path, ("capbench", "run"), blocks=4, subjects=("cpu", "gpu"), extra=_FUTURE)
    for subject in ("floor", "cpu", "gpu"):
        write_runs(path, subject, noisy(4))
    for file in (path / "runs").iterdir():
        run = json.loads(file.read_bytes())
        run["stages"]["encode"] |= {"wait_disk_s": 0.25}
        if run["validation"]:
            run["validation"] |= _FUTURE
            run["validation"]["checks"][0] |= _FUTURE
        file.write_text(json.dumps(run | _FUTURE), encoding="utf-8")
    return path


def test_unknown_fields_are_read_and_judged_like_any_others(folder: Path) -> None:
    contents = read_folder(folder)

    assert not [problem for problem in contents.problems if "runs/" in problem]
    assert len(contents.runs) == 12
    assert compare_folder(folder).verdicts


def test_unknown_fields_survive_a_rewrite(folder: Path) -> None:
    """`times_floor` is known only when a matrix ends, and every run is written again then."""
    before = {file.name: json.loads(file.read_bytes()) for file in (folder / "runs").iterdir()}

    RunFolder(folder).finish()

    for file in (folder / "runs").iterdir():
        now = json.loads(file.read_bytes())
        assert now["times_floor"] is not None
        known = ("times_floor", "unmeasured")
        assert {k: v for k, v in now.items() if k not in known} == {
            k: v for k, v in before[file.name].items() if k not in known
        }


def test_the_table_has_a_column_for_what_a_cell_can_hold(folder: Path) -> None:
    table = table_of([read_folder(folder)])

    assert (table["joules"] == 3.5).all()
    assert (table["stage.encode.wait_disk_s"] == 0.25).all()
    assert not {"thumbnails", "tiles"} & set(table.columns)


def test_the_page_and_the_published_schema_take_them(folder: Path, tmp_path: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_bytes())

    assert write_report([folder], tmp_path / "page.html").is_file()
    for file in (folder / "runs").iterdir():
        jsonschema.validate(json.loads(file.read_bytes()), schema)


def test_unknown_fields_are_named_wherever_they_stand(folder: Path) -> None:
    run = read_run(next((folder / "runs").glob("*--gpu--*")))

    names = set(unknown_fields(run))

    assert {"joules", "stages.encode.wait_disk_s", "validation.mood", "thumbnails"} <= names
    assert not set(unknown_fields(RunResult(case="c", subject="s", block=0)))


def test_looks_history_and_baseline_keep_them(folder: Path, tmp_path: Path) -> None:
    write_looks(folder, [InterimLook(blocks=5, share=0.1)])
    _add(folder / "looks.json", **_FUTURE)
    looks = read_looks(folder) or ()
    write_looks(folder, [*looks, InterimLook(blocks=9, share=0.1)])
    assert json.loads((folder / "looks.json").read_bytes()).items() >= _FUTURE.items()

    history = tmp_path / "history.jsonl"
    runs = table_of([read_folder(folder)]).assign(started_at="2030-01-01T00:00:00")
    with_entries(history, [entry_of(runs, "one")])
    history.write_text(json.dumps(json.loads(history.read_text()) | _FUTURE) + "\n", encoding="utf-8")
    with_entries(history, [entry_of(runs, "two")])
    assert json.loads(history.read_text().splitlines()[0]).items() >= _FUTURE.items()

    write_baseline(take_baseline(runs), tmp_path / "baseline.json")
    _add(tmp_path / "baseline.json", **_FUTURE)
    assert read_baseline(tmp_path / "baseline.json").figures


@pytest.mark.parametrize("name", ["looks", "history", "calibration", "baseline"])
def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path, name: str) -> None:
    empty: dict[str, dict[str, Any]] = {
        "looks": {"looks": []},
        "history": {"taken_at": "x", "folder": "x", "revision": None, "machine": "", "figures": []},
        "calibration": {"machine": None, "subject": "x", "blocks_recorded": 1, "blocks_each": 1, "metrics": []},
        "baseline": {"figures": []},
    }
    file = tmp_path / ("looks.json" if name == "looks" else name)
    file.write_text(json.dumps(empty[name] | {"schema_version": 7}), encoding="utf-8")
    read = {"looks": lambda path: read_looks(path.parent), "history": read_history, "calibration": read_calibration}

    with pytest.raises(ResultError, match="schema version 7"):
        read.get(name, read_baseline)(file)


_MATRIX = RunMatrix(
    name="fake",
    cases=(Case(name="a", subjects=("cpu",), blocks=1, timeout_s=1, settle_s=0, warmup=False, drift_control=False),),
    subjects=(Subject(name="cpu", path="cpu"),),
)


def _begun(tmp_path: Path, **fields: Any) -> RunFolder:
    plan = Plan(matrix=_MATRIX, seed=1, capbench_version=version_of("capbench"))
    write_record(tmp_path / "matrix.json", plan)
    _add(tmp_path / "matrix.json", **fields)
    return RunFolder(tmp_path)


def test_a_folder_of_this_version_and_of_older_ones_is_resumed(tmp_path: Path) -> None:
    assert _begun(tmp_path).resume(_MATRIX).matrix == _MATRIX
    assert _begun(tmp_path, capbench_version="0.0.9").resume(_MATRIX).seed == 1
    file = tmp_path / "matrix.json"
    old = {
        key: value for key, value in json.loads(file.read_bytes()).items() if key not in ("capbench_version", "base")
    }
    file.write_text(json.dumps(old), encoding="utf-8")
    assert RunFolder(tmp_path).resume(_MATRIX).matrix == _MATRIX


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"capbench_version": "99.1.0"}, "99.1.0"),
        ({"schema_version": 2, "matrix": "of another shape"}, "schema 2"),
        ({"capbench_version": "99.1.0", "warp": 3}, "99.1.0"),
        ({"warp": 3}, "warp"),
    ],
)
def test_a_folder_that_a_newer_version_began_is_not_resumed(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    folder = _begun(tmp_path, **fields)
    before = (tmp_path / "matrix.json").read_bytes()

    with pytest.raises(ResultError, match=named) as caught:
        folder.resume(_MATRIX)

    assert f"capbench {version_of('capbench')}" in str(caught.value)
    assert caught.value.exit_code == 2
    assert (tmp_path / "matrix.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[[case]]\nname = 'a'\nrecording = { width = 64, height = 64, mood = 1 }\nduration_s = 1\n", "mood"),
        ("[[case]]\nname = 'a'\nrecording = '4k-1min'\n[case.thresholds]\nwall_s = { max = 3, mood = 1 }\n", "mood"),
        ("mood = 1\n[[case]]\nname = 'a'\nrecording = '4k-1min'\n", "mood"),
    ],
)
def test_what_people_write_must_be_known(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(MatrixError, match=f"{where}: unknown key"):
        load_matrix(file)
