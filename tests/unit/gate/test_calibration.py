"""Calibration: planted slowdowns are as large as they say, and what is recorded is counted right."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from capbench.errors import InputError, MatrixError, ResultError
from capbench.gate.calibration import (
    Calibration,
    MetricCalibration,
    Rate,
    calibrate_runs,
    calibration_matrix,
    noise_floor_of,
    read_calibration,
)
from capbench.gate.slice_advice import advise, both_ways
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.process import running_clock
from capbench.harness.worker.slowdown import VARIABLE, main, plant, spin
from capbench.results.run_record import Interleave
from tests.gate_runs import runs_table


def recorded(blocks: int, sd: float, *, seed: int = 1) -> pd.DataFrame:
    """A subject, its twin, and a copy that is 10% slower, under noise that a block shares and noise of each run."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.1, blocks)
    tables = [
        runs_table(name, list(ratio * np.exp(shared + rng.normal(0, sd, blocks))))
        for name, ratio in (("cpu", 1.0), ("cpu~same", 1.0), ("cpu~plus10", 1.1))
    ]
    return pd.concat(tables, ignore_index=True)


def calibrated(runs: pd.DataFrame, **changes: Any) -> Calibration:
    settings = {"blocks_each": 10, "comparisons": 100, "seed": 1, **changes}
    return calibrate_runs(runs, subject="cpu", twin="cpu~same", slowed={0.10: "cpu~plus10"}, **settings)


def test_a_quiet_machine_cries_no_wolf_and_sees_ten_percent() -> None:
    wall = calibrated(recorded(30, 0.005)).metrics[0]

    assert (wall.metric, wall.false_alarms.count, wall.detections["0.1"].count) == ("wall_s", 0, 100)
    assert wall.noise_per_block == pytest.approx(0.005 * 2**0.5, rel=0.4)
    assert 0.0005 < wall.noise_floor < 0.01
    assert wall.false_alarms.high == pytest.approx(0.0362, abs=0.0001), "Clopper-Pearson for 0 of 100"


def test_a_noisy_machine_shows_its_noise_floor() -> None:
    wall = calibrated(recorded(30, 0.08)).metrics[0]

    assert wall.noise_floor > wall.margin
    assert wall.detections["0.1"].count < 90


def test_the_same_seed_draws_the_same_comparisons() -> None:
    runs = recorded(30, 0.05)

    assert calibrated(runs) == calibrated(runs)
    assert calibrated(runs) != calibrated(runs, seed=2)


def test_memory_that_never_varies_has_no_noise() -> None:
    memory = next(found for found in calibrated(recorded(20, 0.01)).metrics if found.metric == "peak_rss_bytes")

    assert (memory.noise_floor, memory.noise_per_block, memory.false_alarms.count) == (0.0, 0.0, 0)


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(ResultError, match=r"5 blocks .* needs 10"):
        calibrated(recorded(5, 0.01))


def test_missing_copies_are_refused() -> None:
    runs = recorded(20, 0.01)

    with pytest.raises(ResultError, match="no block has finished runs"):
        calibrated(runs[runs["subject"] != "cpu~same"])


def test_the_gate_reads_it_only_on_the_machine_that_was_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(calibrated(recorded(30, 0.08)).model_dump_json(), encoding="utf-8")

    read = read_calibration(path)

    assert noise_floor_of(read, {"machine-a"})["wall_s"] > 0.02
    assert noise_floor_of(read, {"machine-b"}) == {}
    assert noise_floor_of(read, {"machine-a", "machine-b"}) == {}


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ResultError, match="capbench calibrate"):
        read_calibration(path)


def test_spinning_uses_as_much_cpu_as_asked() -> None:
    begun_s = time.thread_time()

    spin(0.05)

    # The loop looks at the clock every few microseconds; a stolen core adds wall time, not thread time.
    assert time.thread_time() - begun_s == pytest.approx(0.05, abs=0.02)


def test_a_report_gets_the_time_that_was_really_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "encode:0.1")
    clock = iter([5.0, 5.02])
    times = {"work_s": 0.1, "wait_input_s": 0.0, "wait_output_s": 0.0}
    report: dict[str, Any] = {
        "wall_s": 0.2,
        "fps": 100.0,
        "times_realtime": None,
        "stages": {"encode": times},
        "warnings": [],
    }

    planted = plant(report, now_s=lambda: next(clock))

    assert planted["wall_s"] == pytest.approx(0.22)
    assert planted["fps"] == pytest.approx(100 * 0.2 / 0.22)
    assert planted["stages"]["encode"]["work_s"] == pytest.approx(0.12)
    assert planted["warnings"] == ["injected slowdown: encode:0.1, 0.02000 s"]


def test_seconds_are_planted_whatever_the_run_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "encode:0.03s")
    report: dict[str, Any] = {"wall_s": 1000.0, "stages": {}, "warnings": []}
    begun_s = time.thread_time()

    plant(report)

    # as above; a share of 3% would be half a minute
    assert time.thread_time() - begun_s == pytest.approx(0.03, abs=0.02)


@pytest.mark.parametrize("amount", ["s", "-1s", "1e9s", "nans", "x"])
def test_an_amount_that_cannot_be_planted_is_refused(monkeypatch: pytest.MonkeyPatch, amount: str) -> None:
    monkeypatch.setenv(VARIABLE, f"encode:{amount}")

    with pytest.raises(InputError, match="write for example"):
        plant({"wall_s": 1.0, "stages": {}, "warnings": []})


def test_without_the_variable_a_report_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert plant({"wall_s": 0.2}) == {"wall_s": 0.2}


@pytest.mark.parametrize("wanted", ["encode", "encode:", "encode:fast", "encode:-1", "encode:nan"])
def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(VARIABLE, wanted)

    with pytest.raises(InputError, match="not a share of the wall time"):
        plant({"wall_s": 0.2})


def test_a_wrapped_command_keeps_its_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["0", sys.executable, "-c", "print('out'); raise SystemExit(3)"]) == 3
    assert capfd.readouterr().out == "out\n"


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["0.1"], 2), (["x", "true"], 2), (["0", "/absent"], 127)])
def test_a_wrapper_that_cannot_wrap_says_so(arguments: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    assert capfd.readouterr().err


def _matrix() -> RunMatrix:
    case = Case(
        name="1080p",
        subjects=("floor", "cpu", "mine"),
        blocks=5,
        timeout_s=60,
        settle_s=0,
        warmup=True,
        drift_control=True,
    )
    subjects = (
        Subject(name="floor", is_floor=True),
        Subject(name="cpu", path="cpu", env={"A": "1"}),
        Subject(name="mine", command=("mine", "{output}")),
    )
    return RunMatrix(name="m", cases=(case,), subjects=subjects)


def test_a_path_is_slowed_by_its_environment() -> None:
    matrix = calibration_matrix(_matrix(), subject=None, effects=[0.05], stage="readback")

    assert [subject.name for subject in matrix.subjects] == ["cpu", "cpu~same", "cpu~plus5"]
    assert [subject.env for subject in matrix.subjects] == [
        {"A": "1"},
        {"A": "1"},
        {"A": "1", VARIABLE: "readback:0.05"},
    ]
    assert matrix.cases[0].subjects == ("cpu", "cpu~same", "cpu~plus5")


def test_a_command_is_slowed_by_a_wrapper() -> None:
    matrix = calibration_matrix(_matrix(), subject="mine", effects=[0.05], stage="encode")

    assert matrix.subjects[1].command == ("mine", "{output}")
    assert matrix.subjects[2].command[1:] == ("-m", "capbench.harness.worker.slowdown", "0.05", "mine", "{output}")


@pytest.mark.parametrize(
    ("subject", "effects", "message"),
    [("nobody", [0.05], "no subject 'nobody'"), ("cpu", [], "at least one --effect")],
)
def test_what_cannot_be_calibrated_is_named(subject: str, effects: list[float], message: str) -> None:
    with pytest.raises(MatrixError, match=message):
        calibration_matrix(_matrix(), subject=subject, effects=effects, stage="encode")


def _row(case: str, metric: str, noise: float, interleave: Interleave) -> MetricCalibration:
    rate = Rate(count=0, of=200, low=0.0, high=0.02)
    return MetricCalibration(
        case=case,
        metric=metric,
        interleave=interleave,
        margin=0.02,
        noise_per_block=noise,
        noise_floor=noise,
        false_alarms=rate,
        detections={},
    )


def _calibrated(plain: float, sliced: float, interleave: Interleave = "slices") -> Calibration:
    rows = (_row("1080p", "wall_s", plain, "runs"), _row("1080p~slices", "wall_s", sliced, interleave))
    return Calibration(machine="m", subject="cpu", blocks_recorded=30, blocks_each=10, metrics=rows)


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (_calibrated(0.08, 0.02), "needs 6% of the blocks for the same answer; use --interleave slices."),
        (_calibrated(0.02, 0.019), "use --interleave runs."),
        (_calibrated(0.08, 0.02, "runs"), "the folder's matrix.json has the reason."),
    ],
)
def test_slices_are_recommended_where_they_help(found: Calibration, end: str) -> None:
    assert [sentence.endswith(end) for sentence in advise(found)] == [True]


def test_a_calibration_holds_for_runs_of_its_own_kind() -> None:
    found = _calibrated(0.08, 0.02)

    assert noise_floor_of(found, {"m"}, [("slices", "normal")]) == {"wall_s": 0.02}
    assert noise_floor_of(found, {"m"}) == {"wall_s": 0.08}


def test_both_ways_doubles_the_cases() -> None:
    matrix = both_ways(load_matrix("quick"))

    names = [case.name for case in matrix.cases]
    assert names[1::2] == [f"{name}~slices" for name in names[::2]]
    assert [case.interleave for case in matrix.cases] == ["runs", "slices"] * (len(names) // 2)


def test_a_wrapped_command_in_slices_is_slowed_by_a_share_of_its_running_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped for all of the half second and more that the command took: ten times that would be 5 s of work."""
    stopped = running_clock.StoppedTime(tmp_path / "stopped")
    monkeypatch.setenv(running_clock.VARIABLE, str(stopped.path))
    monkeypatch.setenv("BEGUN_NS", str(time.monotonic_ns()))
    command = (
        "import mmap, os, struct, time\n"
        "time.sleep(0.5)\n"
        f"with open({str(stopped.path)!r}, 'r+b') as file:\n"
        " mmap.mmap(file.fileno(), 8)[:] = struct.pack('<q', time.monotonic_ns() - int(os.environ['BEGUN_NS']))\n"
    )
    begun_s = time.thread_time()

    code = main(["10", sys.executable, "-I", "-c", command])

    assert code == 0
    # the end of the interpreter is not in it and is spun ten times
    assert time.thread_time() - begun_s < 3
    stopped.close()
