"""Whole matrices with real processes: bad subjects, interrupts, kills, and the pipeline's own paths."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import MatrixError
from capbench.harness.machine.machine_lock import LOCK_VARIABLE, MachineLock
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.progress import Progress
from capbench.harness.run.start import RunOptions, run
from capbench.results import FailureKind, RunResult, RunRole
from capbench.results.environment import Environment
from capbench.results.folder import read_folder
from capbench.results.tidy_table import load
from tests.bench.kill_resume import kill_and_resume

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the subjects are POSIX commands")

_HEAD = """
[defaults]
recording = {width = 320, height = 180}
duration_s = 0.5
blocks = 1
settle_s = 0
warmup = false
drift_control = false
timeout_s = 60
"""


def _matrix(folder: Path, subjects: dict[str, str], *, case: str = "", head: str = _HEAD) -> Path:
    """A matrix of one case `tiny` with these commands, each run by `sh -c`, or `floor` and paths where empty."""
    tables = "".join(
        f"[[subject]]\nname = {name!r}\ncommand = ['sh', '-c', '''{script}''', 'sh', '{{source}}', '{{output}}']\n"
        for name, script in subjects.items()
        if script
    )
    file = folder / "tiny.toml"
    file.write_text(f"{head}{tables}[[case]]\nname = 'tiny'\nsubjects = {list(subjects)}\n{case}")
    return file


def _measured(folder: Path) -> dict[tuple[str, int], RunResult]:
    return {(run.subject, run.block): run for run in read_folder(folder).runs if run.role is RunRole.MEASURE}


_BAD = {
    "good": 'cp "$1" "$2"',
    "fails": 'echo "first line" >&2; echo "no such codec" >&2; exit 3',
    "crashes": "kill -SEGV $$",
    "hangs": "sleep 64",
    "idle": "exit 0",
    "empty": ': > "$2"',
    "astray": 'cp "$1" astray.mp4',
    "text": 'echo "not a video" > "$2"',
    "folder": 'mkdir "$2"; cp "$1" "$2/inside.mp4"',
    "closed": 'mkdir "$2"; cp "$1" "$2/inside.mp4"; chmod 0 "$2"',
    "fifo": 'mkfifo "$2"',
    "loud": 'yes noise | head -c 5000000; yes noise | head -c 5000000 >&2; cp "$1" "$2"',
}


@pytest.fixture(scope="module")
def bad_subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    """One matrix in which nearly every subject does something wrong."""
    folder = tmp_path_factory.mktemp("bad")
    matrix = _matrix(folder, _BAD)
    (folder / "text.mp4").write_text("not a video")
    second = "[[case]]\nname = 'damaged'\nsource = 'text.mp4'\nsubjects = ['floor']\n"
    matrix.write_text(matrix.read_text() + second)
    # All but the one that hangs are through by then, on a busy machine too: ten megabytes of noise among them.
    run(matrix, RunOptions(validate=False, timeout_s=8), out=folder / "out")
    assert not (folder / "out" / "outputs").exists()
    assert not (folder / "out" / "in-progress").exists()
    return {subject: result for (subject, _), result in _measured(folder / "out").items()}


@pytest.mark.parametrize(
    ("subject", "kind", "error"),
    [
        ("fails", FailureKind.EXIT, "sh ended with exit code 3: no such codec"),
        ("crashes", FailureKind.EXIT, "sh ended with signal SIGSEGV and wrote nothing to stderr"),
        ("hangs", FailureKind.TIMEOUT, "sh did not end within 8 s and was killed"),
        ("folder", FailureKind.NO_OUTPUT, "sh succeeded but made a folder at {output}, which must be one file"),
        ("closed", FailureKind.NO_OUTPUT, "sh succeeded but made a folder at {output}, which must be one file"),
        ("fifo", FailureKind.NO_OUTPUT, "sh succeeded but wrote nothing to {output}"),
        ("idle", FailureKind.NO_OUTPUT, "sh succeeded but wrote nothing to {output}"),
        ("empty", FailureKind.NO_OUTPUT, "sh succeeded but left an empty file at {output}"),
        (
            "astray",
            FailureKind.NO_OUTPUT,
            "sh succeeded but wrote nothing to {output}; it made astray.mp4 in its working folder",
        ),
    ],
)
def test_a_bad_subject_is_recorded_with_one_line(
    bad_subjects: dict[str, RunResult], subject: str, kind: FailureKind, error: str
) -> None:
    result = bad_subjects[subject]

    assert (result.error_kind, result.error) == (kind, error)
    assert result.wall_s is None


def test_an_output_that_is_no_video_is_recorded(bad_subjects: dict[str, RunResult]) -> None:
    assert bad_subjects["text"].error_kind is FailureKind.NO_OUTPUT
    assert "is not a video" in (bad_subjects["text"].error or "")


def test_a_source_that_is_no_video_fails_its_runs(bad_subjects: dict[str, RunResult]) -> None:
    assert bad_subjects["floor"].case == "damaged"
    assert "is not a video" in (bad_subjects["floor"].error or "")


@pytest.mark.parametrize("subject", ["good", "loud"])
def test_the_rest_of_the_matrix_goes_on(bad_subjects: dict[str, RunResult], subject: str) -> None:
    result = bad_subjects[subject]

    assert result.error is None
    assert (result.frames, result.width, result.height, result.duration_s) == (15, 320, 180, 0.5)
    assert result.wall_s == result.process_wall_s
    assert result.output_bytes is not None
    assert result.bitrate_bits_per_s == result.output_bytes * 8 / 0.5
    assert result.unmeasured["readback_bytes"] == "the subject is a command"


@pytest.fixture(scope="module")
def own_paths(tmp_path_factory: pytest.TempPathFactory, gpu: object) -> Path:  # noqa: ARG001  cpu and gpu need an adapter
    """Result folder of floor, cpu and gpu, validated and traced."""
    folder = tmp_path_factory.mktemp("own")
    subjects = {"floor": "", "cpu": "", "gpu": ""}
    matrix = _matrix(folder, subjects, case="thresholds = {readback_bytes = {max = 700_000}}\nqp = 16\n")
    arguments = ["run", str(matrix), "--out", str(folder / "out"), "--trace", "--keep-outputs", "--seed", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code in (0, 1), done.output
    return folder / "out"


def test_paths_are_timed_inside_and_measured_outside(own_paths: Path) -> None:
    table = load(own_paths).set_index("subject")
    walls = table["wall_s"].to_dict()

    assert set(table.index) == {"floor", "cpu", "gpu"}
    assert table["error"].isna().all()
    assert (table["frames"] == 15).all()
    assert (table["wall_s"] < table["process_wall_s"]).all()
    assert (table["cpu_s"] > 0).all()
    assert (table["peak_rss_bytes"] > 30e6).all()
    assert table["times_floor"].to_dict() == {name: wall_s / walls["floor"] for name, wall_s in walls.items()}
    assert table["fingerprint"].nunique() == 1


def test_readback_is_counted_and_held_against_the_threshold(own_paths: Path) -> None:
    runs = _measured(own_paths)

    pixels = 320 * 180 * 15
    assert runs["cpu", 0].readback_bytes == 4 * pixels
    assert runs["gpu", 0].readback_bytes == 1.5 * pixels
    assert runs["cpu", 0].thresholds[0].message == "readback_bytes is 3.456e+06, above the limit of 700000"


def test_every_run_is_validated_against_its_source(own_paths: Path) -> None:
    for result in _measured(own_paths).values():
        assert result.validation is not None, result.unmeasured
        assert result.validation.frames_compared == 15


def test_what_a_folder_holds(own_paths: Path) -> None:
    plan = json.loads((own_paths / "matrix.json").read_text())
    contents = read_folder(own_paths)

    assert plan["seed"] == 1
    assert plan["command"][0] == "capbench"
    assert [case["name"] for case in plan["matrix"]["cases"]] == ["tiny"]
    assert contents.problems == ()
    assert contents.environment is not None
    assert contents.environment.adapter
    assert [noise.case for noise in contents.noise] == ["tiny"]
    assert {file.name for file in (own_paths / "outputs").iterdir()} == {
        f"tiny--{subject}--b000.mp4" for subject in ("floor", "cpu", "gpu")
    }
    assert {file.name for file in (own_paths / "traces").iterdir()} == {
        f"tiny--{subject}--b000.json" for subject in ("floor", "cpu", "gpu")
    }


def test_a_trace_has_the_export_of_every_frame(own_paths: Path) -> None:
    events = json.loads((own_paths / "traces" / "tiny--gpu--b000.json").read_text())["traceEvents"]

    for name, phase in (("render", "X"), ("upload", "X"), ("readback", "X"), ("encode", "X"), ("passes", "b")):
        frames = {event["args"]["frame"] for event in events if event["name"] == name and event["ph"] == phase}
        assert frames >= set(range(15)), name


def _start(matrix: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "capbench", "run", str(matrix), "--out", str(out), "--no-validate", "-q", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _started(out: Path) -> dict[str, str | None]:
    """When each recorded run was started: it changes if one is made again."""
    return {file.stem: json.loads(file.read_text())["started_at"] for file in (out / "runs").glob("[!.]*.json")}


def test_killed_three_times_at_random_every_run_and_output_is_there_once(tmp_path: Path) -> None:
    """`--keep-outputs`: recorded runs have their outputs, whatever happens to the runner, and nothing else is left."""
    # Nothing here is about the machine, and opening a GPU device takes a second at each start.
    program = (
        "from capbench.harness.run import start\n"
        "start.ask_machine = lambda folder: {'error': 'not asked'}\n"
        "from capbench.__main__ import main\n"
        "main()\n"
    )
    tally = kill_and_resume(kills=3, seed=3, folder=tmp_path, validates=False, program=("-c", program))

    assert tally.is_clean, (str(tally), tally)
    assert tally.kills == 3
    assert tally.runs == 8 * tally.matrices > 0


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_folder_at_the_output_is_kept_or_replaced_like_a_file(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, {"one": 'mkdir "$2"; touch "$2/inside"; exit 1'})
    out = tmp_path / "out"

    run(matrix, RunOptions(validate=False, keep_outputs=True), out=out)
    run(matrix, RunOptions(validate=False, keep_outputs=True), out=out, resume=True, retry_failed=True)

    kept = sorted(path.relative_to(out / "outputs").as_posix() for path in (out / "outputs").rglob("*"))
    assert kept == ["tiny--one--b000.mp4", "tiny--one--b000.mp4/inside"]


@pytest.mark.usefixtures("untimed_jobs_here")
def test_the_output_of_a_subject_that_leaves_a_link_is_kept_as_a_file(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, {"one": 'cp "$1" kept.mp4; ln -s "$PWD/kept.mp4" "$2"'})

    run(matrix, RunOptions(validate=False, keep_outputs=True), out=tmp_path / "out")
    run(matrix, RunOptions(validate=False, keep_outputs=True), out=tmp_path / "out", resume=True)

    kept = tmp_path / "out" / "outputs" / "tiny--one--b000.mp4"
    assert not kept.is_symlink()
    assert kept.read_bytes() == (tmp_path / "kept.mp4").read_bytes()


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_resume_does_not_follow_a_link_to_somewhere_else(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, {"one": 'cp "$1" "$2"'})
    run(matrix, RunOptions(validate=False), out=tmp_path / "out")
    (tmp_path / "holidays").mkdir()
    (tmp_path / "holidays" / "photo.jpg").touch()
    (tmp_path / "out" / "outputs").symlink_to(tmp_path / "holidays")

    done = CliRunner().invoke(app, ["run", str(matrix), "--out", str(tmp_path / "out"), "--resume", "--no-validate"])

    assert done.exit_code == 2
    assert (tmp_path / "holidays" / "photo.jpg").exists()


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_run_waits_for_what_another_process_times_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the block of a fleet's worker on the same machine."""
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "lock"))
    matrix, waits, said = _matrix(tmp_path, {"one": 'cp "$1" "$2"'}), threading.Event(), list[str]()

    class Noting(Progress):
        def say(self, line: str) -> None:
            said.append(line)
            if line.startswith("waiting"):
                waits.set()

    def measure() -> None:
        run(matrix, RunOptions(validate=False), out=tmp_path / "out", progress=Noting())

    runner = threading.Thread(target=measure)
    with MachineLock(tmp_path / "lock", command="capbench fleet worker").timing():
        runner.start()
        assert waits.wait(60)
        assert not list((tmp_path / "out" / "runs").iterdir())
    runner.join(60)

    assert len(_measured(tmp_path / "out")) == 1
    (line,) = [line for line in said if line.startswith("waiting")]
    assert f"`capbench fleet worker` is timing on it, process {os.getpid()}" in line


def test_an_interrupt_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, {"one": 'cp "$1" "$2"; sleep 65'}, head=_HEAD)
    process = _start(matrix, tmp_path / "out")
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and not list((tmp_path / "out").glob("in-progress/*.mp4")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)

    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    (line,) = [line for line in said.decode().splitlines() if line.startswith("resume with: ")]
    typed = ("run", str(matrix), "--out", str(tmp_path / "out"), "--no-validate", "-q")
    assert shlex.split(line)[2:] == ["capbench", *typed, "--resume"]
    assert _started(tmp_path / "out") == {}


@pytest.mark.usefixtures("untimed_jobs_here")  # test_curves.py has a whole command line that a process refuses
@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("recording = '8k-1h'\n", "case 'tiny': unknown recording '8k-1h'; available: 1080p-1min"),
        ("scene = 'disco'\n", "case 'tiny': .*disco"),
        ("options = {thraeds = 2}\n", "case 'tiny': unknown export option 'thraeds'; available:"),
    ],
)
def test_what_only_the_pipeline_knows_to_be_wrong_is_said_before_any_run(
    tmp_path: Path, case: str, message: str
) -> None:
    matrix = load_matrix(_matrix(tmp_path, {"gpu": ""}, case=case))
    executor = ProcessExecutor(folder=tmp_path / "out", environment=Environment())

    with pytest.raises(MatrixError, match=message):
        executor.prepare(matrix.cases[0], matrix.subjects)


@pytest.mark.parametrize("arguments", [("--budget", "soon"), ("--blocks", "0"), ("--case", "x*")])
def test_a_wrong_command_line_exits_2(tmp_path: Path, arguments: tuple[str, str]) -> None:
    matrix = _matrix(tmp_path, {"copy": 'cp "$1" "$2"'})

    done = CliRunner().invoke(app, ["run", str(matrix), "--out", str(tmp_path / "out"), *arguments])

    assert done.exit_code == 2
    assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.usefixtures("untimed_jobs_here")
def test_capacities_are_timed_and_not_validated(tmp_path: Path) -> None:
    """By the pipeline's own paths that need no GPU, with a threshold and kept outputs."""
    matrix = _matrix(
        tmp_path,
        {"floor": "", "decode-only": ""},
        case="[case.thresholds]\noutput_bytes = { max = 100_000_000 }\n",
    )
    out = tmp_path / "out"
    run(matrix, RunOptions(keep_outputs=True), out=out)

    runs = _measured(out)
    floor, capacity = runs["floor", 0], runs["decode-only", 0]
    assert (floor.error, capacity.error) == (None, None)
    assert capacity.frames == floor.frames == 15
    assert floor.thresholds
    assert (capacity.encoder, capacity.output_bytes, capacity.validation, capacity.thresholds) == (
        "none",
        None,
        None,
        (),
    )
    assert {"output_bytes", "validation", "times_floor"} <= set(capacity.unmeasured)
    assert [file.name for file in (out / "outputs").iterdir()] == ["tiny--floor--b000.mp4"]
