"""Order, resume, budget and records of a matrix; the executor only pretends and nothing sleeps."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import MatrixError, OutputError, ResultError
from capbench.harness.matrix.model import Case, Limit, RunMatrix, Subject
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.progress import Progress
from capbench.harness.run.result_folder import RunFolder, lock_folder
from capbench.harness.run.runner import SystemProbe, run_matrix, unavailable_subjects
from capbench.harness.run.schedule import (
    UNLIMITED_BLOCKS,
    Plan,
    ScheduledRun,
    StoppingRule,
    block_steps,
    case_order,
)
from capbench.results import CheckStatus, RunResult, RunRole
from capbench.results.environment import Environment, NoiseReading
from capbench.results.folder import FolderContents, read_run
from capbench.results.run_record import SliceAccount


def _case(name: str, *, blocks: int = 2, warmup: bool = True, limits: dict[str, Limit] | None = None) -> Case:
    return Case(
        name=name,
        recording="1080p-1min",
        subjects=("floor", "cpu", "gpu"),
        blocks=blocks,
        timeout_s=10,
        settle_s=0.5,
        warmup=warmup,
        drift_control=True,
        thresholds=limits or {},
    )


def _plan(*cases: Case, seed: int = 7) -> Plan:
    subjects = (
        Subject(name="floor", is_floor=True),
        Subject(name="cpu", path="cpu"),
        Subject(name="gpu", path="gpu"),
    )
    return Plan(matrix=RunMatrix(name="fake", cases=cases, subjects=subjects), seed=seed)


@dataclass
class _FakeClock:
    now_s: float = 0.0

    def read(self) -> float:
        return self.now_s

    def sleep(self, time_s: float) -> None:
        self.now_s += time_s


@dataclass
class _FakeExecutor:
    """Each run takes `run_s` of the clock; `dies_at` and `full_at` end the run of that number."""

    clock: _FakeClock = field(default_factory=_FakeClock)
    run_s: float = 1.0
    dies_at: int | None = None
    full_at: int | None = None
    made: list[str] = field(default_factory=list)
    together: list[list[str]] = field(default_factory=list)
    fails_in_slices: str | None = None
    overlap_share: float = 0.0
    refusal: str | None = None
    free_bytes: int = 10**12

    def execute_sliced(
        self, steps: Sequence[ScheduledRun], prepared: PreparedCase, on_frame: Callable[[int], None], *, seed: str
    ) -> list[RunResult]:
        assert seed.endswith(f"/{steps[0].case.name}/{steps[0].block}")
        account = SliceAccount(slice_ms=100, count=9, alone_share=0.0, overlap_share=self.overlap_share)
        runs = []
        for step in steps:
            run = self.execute(step, prepared, on_frame)
            error = "timed out" if step.subject.name == self.fails_in_slices else None
            runs.append(run.model_copy(update={"interleave": "slices", "slices": account, "error": error}))
        self.together.append([step.stem for step in steps])
        return runs

    def refuse_slices(self, subjects: Sequence[Subject]) -> str | None:
        assert len(subjects) == 3
        return self.refusal

    def free_memory_bytes(self) -> int:
        return self.free_bytes

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        assert [subject.name for subject in subjects][:1] == ["floor"]
        return PreparedCase(source=Path(f"{case.name}.mp4"))

    def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
        assert prepared.source == Path(f"{step.case.name}.mp4")
        if self.dies_at == len(self.made):
            raise KeyboardInterrupt
        if self.full_at == len(self.made):
            raise OSError(28, "No space left on device", "spec.json")
        self.made.append(step.stem)
        self.clock.now_s += self.run_s
        on_frame(30)
        wall_s = {"floor": 2.0, "cpu": 6.0, "gpu": 3.0}[step.subject.name]
        return RunResult(
            case=step.case.name,
            subject=step.subject.name,
            block=step.block,
            order=step.order,
            role=step.role,
            wall_s=wall_s,
            peak_rss_bytes=10**9,
        )


@dataclass
class _Turns:
    """Notes what has the machine. Whoever asks for it while having it would wait for ever."""

    held: str | None = None
    taken: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def _take(self, how: str) -> Iterator[None]:
        assert self.held is None
        self.held = how
        self.taken.append(how)
        yield
        self.held = None

    def timing(self) -> AbstractContextManager[None]:
        return self._take("timing")

    def validating(self) -> AbstractContextManager[None]:
        return self._take("validating")


def _run(
    plan: Plan,
    folder: Path,
    executor: _FakeExecutor | None = None,
    *,
    pace: StoppingRule | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    noise: Callable[[Path], NoiseReading] = lambda _folder: NoiseReading(),
    foreign_cpu_s: Callable[[], float] = lambda: 0.0,
    progress: Progress | None = None,
    turns: _Turns | None = None,
) -> FolderContents:
    executor = executor or _FakeExecutor()
    run_folder = RunFolder(folder, retries_failed=retry_failed)
    plan = run_folder.resume(plan.matrix) if resume else plan
    if not resume:
        run_folder.begin(plan)
    surroundings = SystemProbe(
        now_s=executor.clock.read, sleep=executor.clock.sleep, read_noise=noise, foreign_cpu_s=foreign_cpu_s
    )
    return run_matrix(plan, run_folder, executor, pace=pace, progress=progress, surroundings=surroundings, turns=turns)


_OPENING = ["floor--warmup", "cpu--warmup", "gpu--warmup", "floor--drift-start"]


def test_a_case_opens_with_warmups_and_is_framed_by_floors(tmp_path: Path) -> None:
    executor = _FakeExecutor()

    _run(_plan(_case("a", blocks=1)), tmp_path / "out", executor)

    names = [stem.removeprefix("a--") for stem in executor.made]
    assert names[:4] == _OPENING
    assert sorted(names[4:7]) == ["cpu--b000", "floor--b000", "gpu--b000"]
    assert names[7:] == ["floor--drift-end"]


def test_a_subject_that_fails_first_ends_a_matrix_that_is_to_stop_there(tmp_path: Path) -> None:
    class Failing(_FakeExecutor):
        def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
            run = super().execute(step, prepared, on_frame)
            return run.model_copy(update={"error": "no such codec"} if step.subject.name == "cpu" else {})

    executor = Failing()
    with pytest.raises(MatrixError, match="cpu failed on its first run: no such codec"):
        _run(_plan(_case("a")), tmp_path / "out", executor, pace=StoppingRule(stops_at_failed_warmup=True))
    assert [stem.removeprefix("a--") for stem in executor.made] == _OPENING[:2]

    assert len(_run(_plan(_case("a")), tmp_path / "other", Failing()).runs) > 2


def test_every_block_has_each_subject_once_in_an_order_that_the_seed_decides() -> None:
    plan = _plan(_case("a", blocks=8))
    orders = [
        tuple(s.subject.name for s in block_steps(7, block, plan.matrix.cases[0], plan.matrix.subjects))
        for block in range(8)
    ]

    assert all(sorted(order) == ["cpu", "floor", "gpu"] for order in orders)
    assert len(set(orders)) > 1
    assert orders[3] == tuple(s.subject.name for s in block_steps(7, 3, plan.matrix.cases[0], plan.matrix.subjects))
    other = [
        tuple(s.subject.name for s in block_steps(8, block, plan.matrix.cases[0], plan.matrix.subjects))
        for block in range(8)
    ]
    assert other != orders


def test_rounds_take_one_block_of_every_case_that_still_has_one() -> None:
    cases = [_case("a", blocks=1), _case("b", blocks=3)]

    assert sorted(case.name for case in case_order(1, 0, cases)) == ["a", "b"]
    assert [case.name for case in case_order(1, 2, cases)] == ["b"]


def test_times_floor_is_held_against_the_measured_floor_runs(tmp_path: Path) -> None:
    contents = _run(_plan(_case("a")), tmp_path / "out")

    factors = {(run.subject, run.times_floor) for run in contents.runs}
    assert factors == {("floor", 1.0), ("cpu", 3.0), ("gpu", 1.5)}
    recorded = json.loads((tmp_path / "out/runs/a--gpu--b001.json").read_text())
    assert recorded["times_floor"] == 1.5


@pytest.mark.parametrize("dies_at", range(0, 13, 3))
def test_a_killed_matrix_resumes_with_each_run_exactly_once(tmp_path: Path, dies_at: int) -> None:
    plan, folder = _plan(_case("a"), _case("b", warmup=False)), tmp_path / "out"
    first = _FakeExecutor(dies_at=dies_at)
    with pytest.raises(KeyboardInterrupt):
        _run(plan, folder, first)

    second = _FakeExecutor()
    contents = _run(plan, folder, second, resume=True)

    whole = _FakeExecutor()
    _run(plan, tmp_path / "whole", whole)
    assert first.made + second.made == whole.made
    assert len(contents.runs) == len(whole.made) == len(set(whole.made))


def test_a_resumed_block_says_that_its_runs_did_not_follow_each_other(tmp_path: Path) -> None:
    plan = _plan(_case("a", warmup=False))
    with pytest.raises(KeyboardInterrupt):
        _run(plan, tmp_path / "out", _FakeExecutor(dies_at=2))

    contents = _run(plan, tmp_path / "out", resume=True)

    assert [len(noise.warnings) for noise in contents.noise] == [1, 0]
    assert "interrupted and resumed" in contents.noise[0].warnings[0]


def test_a_half_written_run_is_made_again(tmp_path: Path) -> None:
    plan, folder = _plan(_case("a", blocks=1, warmup=False)), tmp_path / "out"
    _run(plan, folder)
    file = folder / "runs/a--gpu--b000.json"
    file.write_text(file.read_text()[:40])

    executor = _FakeExecutor()
    contents = _run(plan, folder, executor, resume=True)

    assert executor.made == ["a--gpu--b000"]
    assert len(contents.runs) == 5


def test_failed_runs_are_made_again_only_when_asked(tmp_path: Path) -> None:
    plan, folder = _plan(_case("a", blocks=1, warmup=False)), tmp_path / "out"
    _run(plan, folder)
    file = folder / "runs/a--gpu--b000.json"
    file.write_text(read_run(file).model_copy(update={"error": "the disk was full"}).model_dump_json())

    kept, retried = _FakeExecutor(), _FakeExecutor()
    _run(plan, folder, kept, resume=True)
    _run(plan, folder, retried, resume=True, retry_failed=True)

    assert kept.made == []
    assert retried.made == ["a--gpu--b000"]
    assert read_run(file).succeeded


def test_resuming_may_add_blocks(tmp_path: Path) -> None:
    _run(_plan(_case("a", blocks=1)), tmp_path / "out")

    contents = _run(_plan(_case("a", blocks=3)), tmp_path / "out", resume=True)

    assert sorted({run.block for run in contents.runs if run.role is RunRole.MEASURE}) == [0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (_plan(_case("b")), "with case 'a', which is not in the matrix now"),
        (_plan(_case("a"), _case("b")), "started without case 'b'"),
        (_plan(_case("a", warmup=False)), "case 'a' has changed"),
    ],
)
def test_resuming_with_another_matrix_is_refused(tmp_path: Path, changed: Plan, message: str) -> None:
    _run(_plan(_case("a")), tmp_path / "out")

    with pytest.raises(ResultError, match=message):
        _run(changed, tmp_path / "out", resume=True)


def test_resuming_is_not_stopped_by_what_the_plan_leaves_out(tmp_path: Path) -> None:
    """The length of slices is not written where there are none; it is read as the default one."""
    plan = _plan(_case("a").model_copy(update={"slice_ms": 50.0}))
    begun = _run(plan, tmp_path / "out")

    resumed = _run(plan, tmp_path / "out", resume=True)

    assert resumed.runs == begun.runs


def test_resuming_with_an_interpreter_that_lies_elsewhere_goes_on(tmp_path: Path) -> None:
    """Beside another revision, each run builds the environment of its own work tree in a new place."""
    plans = []
    for folder in ("work-tree-1", "work-tree-2"):
        plan = _plan(_case("a"))
        subjects = tuple(
            subject.model_copy(update={"python": tmp_path / folder / "python"}) for subject in plan.matrix.subjects
        )
        plans.append(plan.model_copy(update={"matrix": plan.matrix.model_copy(update={"subjects": subjects})}))
    _run(plans[0], tmp_path / "out")

    _run(plans[1], tmp_path / "out", resume=True)

    assert "work-tree-2" in (tmp_path / "out" / "matrix.json").read_text()


def test_a_folder_with_results_is_not_overwritten(tmp_path: Path) -> None:
    _run(_plan(_case("a")), tmp_path / "out")

    with pytest.raises(ResultError, match="already holds results; add --resume"):
        _run(_plan(_case("a")), tmp_path / "out")


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nothing to resume"):
        _run(_plan(_case("a")), tmp_path / "out", resume=True)


@pytest.mark.parametrize("in_slices", [False, True])
def test_every_timed_run_has_the_machine_and_a_block_has_it_once(tmp_path: Path, *, in_slices: bool) -> None:
    turns = _Turns()

    class Watching(_FakeExecutor):
        def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
            assert turns.held == "validating"
            return super().prepare(case, subjects)

        def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
            assert turns.held == "timing"
            return super().execute(step, prepared, on_frame)

    def noise(_folder: Path) -> NoiseReading:
        assert turns.held == "timing"
        return NoiseReading()

    plan = _plan(_sliced("a") if in_slices else _case("a"))
    _run(plan, tmp_path, Watching(), turns=turns, noise=noise)
    openings, trial, blocks, closing = 4, int(in_slices), 2, 1
    assert turns.taken == ["validating", *["timing"] * (openings + trial + blocks + closing)]

    turns.taken.clear()
    _run(plan, tmp_path, Watching(), turns=turns, noise=noise, resume=True)
    assert turns.taken == ["validating"], "a folder in which nothing is missing needs no turn"


def test_a_folder_that_another_runner_holds_is_refused(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path),
        pytest.raises(ResultError, match="another capbench is running into"),
        lock_folder(tmp_path),
    ):
        pass


def test_an_error_of_a_run_is_not_one_of_another_runner(tmp_path: Path) -> None:
    """A terminal that takes no more output raises `BlockingIOError`, as a lock does that another has."""
    with pytest.raises(BlockingIOError), lock_folder(tmp_path):
        raise BlockingIOError


def test_a_folder_of_another_machine_is_not_continued(tmp_path: Path) -> None:
    _run(_plan(_case("a")), tmp_path / "out")
    folder = RunFolder(tmp_path / "out")
    folder.check_machine(Environment(fingerprint="aaaa"))
    folder.check_machine(Environment(fingerprint="aaaa"))

    with pytest.raises(ResultError, match="machine aaaa, this is bbbb"):
        folder.check_machine(Environment(fingerprint="bbbb"))


def test_a_result_that_cannot_be_written_ends_the_matrix_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_target: Path, _content: str) -> None:
        raise OSError(28, "No space left on device")

    plan, folder = _plan(_case("a")), RunFolder(tmp_path / "out")
    folder.begin(plan)
    monkeypatch.setattr("capbench.results.folder.write_atomic", full)

    with pytest.raises(OutputError, match=r"cannot write the result .*: No space left on device; .* --resume"):
        run_matrix(plan, folder, _FakeExecutor())


def test_a_disk_that_is_full_during_a_run_ends_the_matrix_with_one_line(tmp_path: Path) -> None:
    executor = _FakeExecutor(full_at=2)

    with pytest.raises(OutputError, match=r"a--gpu--warmup stopped: spec\.json: No space left on device; .* --resume"):
        _run(_plan(_case("a")), tmp_path / "out", executor)

    assert len(list((tmp_path / "out" / "runs").iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="cannot make the result folder"):
        RunFolder(tmp_path / "file" / "out").begin(_plan(_case("a")))


# A round of the fake: one block of three runs, each 1 s and 0.5 s of settling, so 4.5 s; the opening takes 1.5 s and
# the closing, expected like the floor runs before, 1.5 s.
@pytest.mark.parametrize(("budget_s", "blocks"), [(0.1, 1), (7.5, 1), (11.9, 1), (12.0, 2), (16.5, 3), (16.4, 2)])
def test_a_budget_takes_the_whole_blocks_that_fit(tmp_path: Path, budget_s: float, blocks: int) -> None:
    executor = _FakeExecutor()
    plan = _plan(_case("a", blocks=UNLIMITED_BLOCKS, warmup=False))

    contents = _run(plan, tmp_path / "out", executor, pace=StoppingRule(budget_s=budget_s))

    assert sum(run.role is RunRole.MEASURE for run in contents.runs) == 3 * blocks
    assert executor.made[-1] == "a--floor--drift-end"
    assert blocks == 1 or executor.clock.now_s <= budget_s


def test_a_matrix_ends_when_it_is_decided(tmp_path: Path) -> None:
    def decided(contents: FolderContents) -> bool:
        return sum(run.role is RunRole.MEASURE for run in contents.runs) >= 6

    plan = _plan(_case("a", blocks=50))
    contents = _run(plan, tmp_path / "out", pace=StoppingRule(is_decided=decided))

    assert sum(run.role is RunRole.MEASURE for run in contents.runs) == 6


def test_noise_around_a_block_is_kept_as_data(tmp_path: Path) -> None:
    readings = iter([NoiseReading(throttle_events=3), NoiseReading(throttle_events=5)])
    foreign = iter([10.0, 11.0])

    contents = _run(
        _plan(_case("a", blocks=1)),
        tmp_path / "out",
        noise=lambda _folder: next(readings),
        foreign_cpu_s=lambda: next(foreign),
    )

    (noise,) = contents.noise
    assert noise.foreign_cpu_s == 1.0
    foreign_load, throttling = noise.warnings
    assert "22% of a core" in foreign_load
    assert "throttled 2 times" in throttling


def test_thresholds_are_held_against_every_run(tmp_path: Path) -> None:
    limits = {"wall_s": Limit(max=5), "psnr_y.mean": Limit(min=30)}

    contents = _run(_plan(_case("a", blocks=1, warmup=False, limits=limits)), tmp_path / "out")

    found = {run.subject: [check.status for check in run.thresholds] for run in contents.runs}
    assert found["cpu"] == [CheckStatus.FAIL, CheckStatus.UNCHECKED]
    assert found["gpu"] == [CheckStatus.PASS, CheckStatus.UNCHECKED]


def test_a_program_that_is_absent_is_skipped_with_the_reason(tmp_path: Path) -> None:
    absent = Subject(name="theirs", command=("no-such-exporter", "{output}"))
    case = _case("a", blocks=1, warmup=False).model_copy(update={"subjects": ("floor", "theirs")})
    matrix = RunMatrix(name="fake", cases=(case,), subjects=(Subject(name="floor", is_floor=True), absent))
    skipped = unavailable_subjects(matrix)

    contents = _run(Plan(matrix=matrix, seed=1, skipped=skipped), tmp_path / "out")

    assert skipped == {"theirs": "program 'no-such-exporter' is not on PATH; install it or leave its subject out"}
    assert {run.subject for run in contents.runs} == {"floor"}


class _Listener(Progress):
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.left_s: list[float | None] = []
        self.frames: list[int] = []

    def begin(self, step: ScheduledRun, left_s: float | None) -> None:
        self.steps.append(step.stem)
        self.left_s.append(left_s)

    def frame(self, done: int) -> None:
        self.frames.append(done)


def test_time_left_counts_down_to_the_last_run(tmp_path: Path) -> None:
    listener = _Listener()

    _run(_plan(_case("a", blocks=1, warmup=False)), tmp_path / "out", progress=listener)

    # five runs of 1.5 s; before the first nothing is known
    assert listener.left_s == [None, 6.0, 4.5, 3.0, 1.5]
    assert listener.frames == [30] * 5
    assert (listener.steps[0], listener.steps[-1]) == ("a--floor--drift-start", "a--floor--drift-end")


def _sliced(name: str, **settings: Any) -> Case:
    return _case(name, **settings).model_copy(update={"interleave": "slices"})


def test_a_block_in_slices_is_made_as_one_after_a_trial(tmp_path: Path) -> None:
    executor = _FakeExecutor()

    contents = _run(_plan(_sliced("a")), tmp_path, executor)

    assert executor.made[:4] == [f"a--{stem}" for stem in _OPENING]
    trial, *blocks = executor.together
    assert sorted(trial) == ["a--cpu--trial", "a--floor--trial", "a--gpu--trial"]
    assert [sorted(block) for block in blocks] == [
        [f"a--{subject}--b00{number}" for subject in ("cpu", "floor", "gpu")] for number in range(2)
    ]
    assert {run.interleave for run in contents.runs if run.role in (RunRole.MEASURE, RunRole.TRIAL)} == {"slices"}
    assert {run.interleave for run in contents.runs if run.role in (RunRole.WARMUP, RunRole.DRIFT_END)} == {"runs"}


def test_slices_warm_up_even_where_the_case_does_not(tmp_path: Path) -> None:
    executor = _FakeExecutor()

    _run(_plan(_sliced("a", warmup=False)), tmp_path, executor)

    assert "a--cpu--warmup" in executor.made


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"fails_in_slices": "cpu"}, "cpu fails in slices but not alone: timed out"),
        ({"overlap_share": 0.02}, "subjects kept running while stopped: 2.0% of the block overlapped"),
        ({"refusal": "the GPU goes on"}, "the GPU goes on"),
        ({"free_bytes": 3 * 10**9}, "all subjects at once need 3.00 GB of memory and 3.00 GB are free"),
    ],
)
def test_a_case_that_does_not_bear_slices_is_measured_plainly_with_the_reason(
    tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    executor = _FakeExecutor(**settings)

    contents = _run(_plan(_sliced("a")), tmp_path, executor)

    measured = [run for run in contents.runs if run.role is RunRole.MEASURE]
    assert len(measured) == 6
    assert {run.interleave for run in measured} == {"runs"}
    assert all(run.unmeasured["slices"].startswith(reason) for run in measured)
    kept = Plan.model_validate_json((tmp_path / "matrix.json").read_bytes()).measured_plainly
    assert kept["a"].startswith(reason)


def test_a_resumed_folder_stays_with_what_was_decided(tmp_path: Path) -> None:
    """Else one folder would hold blocks of both kinds."""
    plan = _plan(_sliced("a"))
    with pytest.raises(KeyboardInterrupt):
        _run(plan, tmp_path, _FakeExecutor(fails_in_slices="cpu", dies_at=9))
    executor = _FakeExecutor()

    contents = _run(plan, tmp_path, executor, resume=True)

    assert executor.together == []
    assert {run.interleave for run in contents.runs if run.role is RunRole.MEASURE} == {"runs"}


def test_a_block_in_slices_that_was_interrupted_is_made_again_as_a_whole(tmp_path: Path) -> None:
    plan = _plan(_sliced("a"))
    _run(plan, tmp_path)
    (tmp_path / "runs" / "a--gpu--b001.json").unlink()
    executor = _FakeExecutor()

    contents = _run(plan, tmp_path, executor, resume=True)

    assert [sorted(block) for block in executor.together] == [["a--cpu--b001", "a--floor--b001", "a--gpu--b001"]]
    assert len([run for run in contents.runs if run.role is RunRole.MEASURE]) == 6


def test_what_overlapped_is_said(tmp_path: Path) -> None:
    plan = _plan(_sliced("a", blocks=1))
    executor = _FakeExecutor()
    _run(plan, tmp_path, executor)
    executor.overlap_share = 0.03
    (tmp_path / "runs" / "a--gpu--b000.json").unlink()

    contents = _run(plan, tmp_path, executor, resume=True)

    (warning,) = contents.noise[0].warnings
    assert "3.0% of the block" in warning


def test_files_of_plain_runs_hold_nothing_that_older_readers_refuse(tmp_path: Path) -> None:
    _run(_plan(_case("a")), tmp_path)

    for file in [tmp_path / "matrix.json", *(tmp_path / "runs").iterdir()]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r'"(interleave|slices|slice_ms|measured_plainly|validation_pending)"', text), file.name
