"""Sharing out slices: fake processes on a fake clock, no sleeping."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capbench.harness.process import running_clock
from capbench.harness.process.gpu_valve import GpuValve
from capbench.harness.process.running_clock import StoppedTime, running_now_ns
from capbench.harness.process.slice_turn import IDLE_TIMEOUT_S, SliceTurn
from capbench.harness.process.spawn import Ending
from capbench.harness.run.slice_schedule import SPREAD, SliceRound, slice_rounds
from capbench.harness.run.sliced_block import run_in_slices, share_out

_MS = 1_000_000


class _Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class _Process:
    """Needs `work_ms` of running time; its waits move the clock on."""

    def __init__(self, clock: _Clock, work_ms: int, log: list[str], name: str) -> None:
        self.stdout = self.stderr = None
        self.ended, self.started = _Ended(self), threading.Event()
        self.root, self.pid = 1, 1
        self.clock, self.left_ns, self.log, self.name = clock, work_ms * _MS, log, name
        self.start_ns: int | None = None
        self.ending = Ending(exit_code=0)
        self.killed = False

    def release(self) -> None:
        self.start_ns = self.clock.now_ns
        self.log.append(f"release {self.name}")

    def kill(self) -> None:
        self.killed, self.ended.value = True, True

    def close(self) -> None:
        pass


class _Ended(threading.Event):
    def __init__(self, process: _Process) -> None:
        super().__init__()
        self.process, self.value = process, False

    def is_set(self) -> bool:
        return self.value

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        spent_ns = min(round(timeout * 1e9), self.process.left_ns)
        self.process.clock.now_ns += spent_ns
        self.process.left_ns -= spent_ns
        if self.process.left_ns == 0 and not self.value:
            self.value = True
            self.process.log.append(f"end {self.process.name}")
            assert self.process.start_ns is not None
            self.process.ending = Ending(
                exit_code=0,
                wall_s=(self.process.clock.now_ns - self.process.start_ns) / 1e9,
                start_ns=self.process.start_ns,
            )
        return self.value


class _Freezer:
    how = "a fake"

    def __init__(self, process: _Process, *, stops: bool = True, leaks_s: float = 0.0) -> None:
        self.process, self.stops, self.leaks_s, self._cpu_s = process, stops, leaks_s, 0.0

    def stop(self, on_asked: Callable[[], None]) -> bool:
        on_asked()
        self.process.clock.now_ns += 2 * _MS  # until it is seen to stand still: nobody's time
        self.process.log.append(f"stop {self.process.name}")
        return self.stops

    def resume(self) -> None:
        self.process.log.append(f"resume {self.process.name}")

    def cpu_s(self) -> float:
        self._cpu_s += self.leaks_s
        return self._cpu_s

    def kill(self) -> None:
        self.process.log.append(f"kill {self.process.name}")


class _Valve(GpuValve):
    """That of a process whose GPU is behind by `behind_ms`, and which draws for `draws_ms` from the start."""

    def __init__(self, path: Path, clock: _Clock, behind_ms: float, draws_ms: float = math.inf) -> None:
        super().__init__(path)
        self.clock, self.behind_ns, self.draws_ns = clock, behind_ms * _MS, draws_ms * _MS
        self.shut_at_ns: list[int] = []
        self.is_open = True

    def shut(self) -> None:
        self.shut_at_ns.append(self.clock.now_ns)
        self.is_open = False

    def open(self) -> None:
        self.is_open = True

    is_idle = property(lambda self: self.clock.now_ns >= self.shut_at_ns[-1] + self.behind_ns)
    is_drawing = property(lambda self: self.clock.now_ns < self.draws_ns)
    was_used = property(lambda self: self.draws_ns > 0)


def _turn(tmp_path: Path, process: _Process, freezer: _Freezer, valve: GpuValve | None = None) -> SliceTurn:
    turn = SliceTurn(
        tmp_path / process.name,
        valve=valve,
        now_ns=process.clock,
        freezer_of=lambda *_: freezer,
        cgroup_of=lambda: None,
    )
    turn.attach(process)  # type: ignore[arg-type]  # the streams are nobody's here
    return turn


def _rounds(count: int, length_s: float = 0.1) -> Iterator[SliceRound]:
    return itertools.repeat(SliceRound(length_s, tuple(range(count))))


def test_running_time_is_the_sum_of_the_slices(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    processes = [_Process(clock, work_ms, log, name) for work_ms, name in ((250, "a"), (320, "b"))]
    turns = [_turn(tmp_path, process, _Freezer(process)) for process in processes]

    share_out(turns, _rounds(2))

    # a: 100 + 100 + 50 ms; b: 100 + 100 + 100 + 20; a was over before its third
    assert [turn.running_s() for turn in turns] == pytest.approx([0.250, 0.320])
    assert [turn.slices for turn in turns] == [3, 4]
    assert [turn.alone_ns for turn in turns] == [0, 120 * _MS]
    assert log[:6] == ["release a", "stop a", "release b", "stop b", "resume a", "stop a"]


def test_nobody_goes_on_before_the_other_stands_still(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    processes = [_Process(clock, 500, log, name) for name in "abc"]
    turns = [_turn(tmp_path, process, _Freezer(process)) for process in processes]

    share_out(turns, slice_rounds("seed", 3, 100))

    events = [line.split() for line in log]
    # begin and stop, or begin and end, of one and the same, all the way
    for (began, name), (stopped, same) in zip(events[::2], events[1::2], strict=True):
        assert began in ("release", "resume")
        assert stopped in ("stop", "end")
        assert name == same
    assert all(turn.is_over for turn in turns)


def test_a_process_that_does_not_stop_is_booked_as_overlap_in_full(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    stubborn, other = (_Process(clock, 300, log, name) for name in "ab")
    turns = [_turn(tmp_path, stubborn, _Freezer(stubborn, stops=False)), _turn(tmp_path, other, _Freezer(other))]

    share_out(turns, _rounds(2))

    # b's first two slices ran beside a, which ended in its third
    assert turns[0].overlap_ns == pytest.approx(2 * 100 * _MS, abs=10)
    assert turns[1].overlap_ns == 0


def test_cpu_time_used_while_stopped_is_overlap(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    leaking, other = (_Process(clock, 300, log, name) for name in "ab")
    turns = [_turn(tmp_path, leaking, _Freezer(leaking, leaks_s=0.01)), _turn(tmp_path, other, _Freezer(other))]

    share_out(turns, _rounds(2))

    assert turns[0].overlap_ns == 2 * 10 * _MS  # twice stopped


@pytest.mark.parametrize("behind_ms", [0, 7, 60])
def test_a_slice_lasts_until_the_gpu_is_idle(tmp_path: Path, behind_ms: int) -> None:
    """What the GPU does for a process is in that process's own time."""
    clock, log = _Clock(), list[str]()
    process = _Process(clock, 1000, log, "a")
    valve = _Valve(tmp_path / "valve", clock, behind_ms)
    turn = _turn(tmp_path, process, _Freezer(process), valve)

    turn.run(0.1)

    # the GPU is looked at every half a millisecond
    assert turn.running_s() == pytest.approx(0.1 + behind_ms / 1000, abs=0.0006)
    assert (turn.idle_stops, turn.stops_while_drawing) == (1, 1)
    assert not valve.is_open
    assert log == ["release a", "stop a"]

    turn.run(0.1)
    assert log[2:] == ["resume a", "stop a"]
    assert turn.env["CAPBENCH_GPU_VALVE"] == str(tmp_path / "valve")
    assert turn.leaves_gpu_idle
    turn.close()
    assert not (tmp_path / "valve").exists()


def test_the_valve_is_open_while_a_process_runs(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    process = _Process(clock, 1000, log, "a")
    valve = _Valve(tmp_path / "valve", clock, 0)
    freezer = _Freezer(process)
    was_open: list[bool] = []
    freezer.resume = lambda: was_open.append(valve.is_open)  # type: ignore[method-assign]
    turn = _turn(tmp_path, process, freezer, valve)

    for _ in range(3):
        turn.run(0.1)

    assert was_open == [True, True]


def test_a_gpu_that_is_not_seen_idle_is_not_waited_for_without_end(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    process = _Process(clock, 2000, log, "a")
    turn = _turn(tmp_path, process, _Freezer(process), _Valve(tmp_path / "valve", clock, 10**6))

    turn.run(0.1)

    assert turn.running_s() == pytest.approx(0.1 + IDLE_TIMEOUT_S, abs=0.001)
    assert (turn.idle_stops, turn.stops_while_drawing) == (0, 1)


def test_a_process_that_draws_no_more_is_stopped_at_once(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    process = _Process(clock, 1000, log, "a")
    valve = _Valve(tmp_path / "valve", clock, 50, draws_ms=120)
    turn = _turn(tmp_path, process, _Freezer(process), valve)

    for _ in range(3):
        turn.run(0.1)

    assert turn.running_s() == pytest.approx(0.15 + 0.1 + 0.1, abs=0.001)
    assert turn.stops_while_drawing == len(valve.shut_at_ns) == 1


def test_a_process_that_ends_while_its_gpu_is_waited_for_is_over(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    process = _Process(clock, 120, log, "a")
    turn = _turn(tmp_path, process, _Freezer(process), _Valve(tmp_path / "valve", clock, 10**6))

    turn.run(0.1)

    assert turn.is_over
    assert turn.running_s() == pytest.approx(0.12, abs=0.001)
    assert log == ["release a", "end a"]


def test_the_clock_of_a_process_leaves_out_the_time_stopped(tmp_path: Path) -> None:
    clock, log = _Clock(), list[str]()
    processes = [_Process(clock, 300, log, name) for name in "ab"]
    turns = [_turn(tmp_path, process, _Freezer(process)) for process in processes]
    running_ns = running_now_ns(tmp_path / "a", clock)

    for _ in range(2):
        for turn in turns:
            turn.run(0.1)
    turns[0].run(0.05)

    assert running_ns() == 250 * _MS + 2 * _MS  # the stop is under way, as far as it knows
    assert turns[0].running_s() == pytest.approx(0.25)


def test_a_stop_between_two_readings_is_not_seen(tmp_path: Path) -> None:
    stopped = StoppedTime(tmp_path / "stopped")
    readings = iter([1000, 5000])

    def now_ns() -> int:
        reading = next(readings)
        stopped.set_ns(4000)  # the process was stopped after it had read the clock
        return reading

    assert running_now_ns(tmp_path / "stopped", now_ns)() == 1000  # 5000, of which 4000 were no time of its own
    stopped.close()
    assert not (tmp_path / "stopped").exists()


def test_rounds_follow_from_the_seed_and_share_their_length() -> None:
    def first(seed: str) -> list[SliceRound]:
        return list(itertools.islice(slice_rounds(seed, 3, 100), 200))

    rounds = first("7/case/0")

    assert rounds == first("7/case/0")
    assert rounds != first("7/case/1")
    assert all(sorted(slices.order) == [0, 1, 2] for slices in rounds)
    assert all(0.1 * (1 - SPREAD) <= slices.length_s <= 0.1 * (1 + SPREAD) for slices in rounds)
    # each is first about as often: three standard deviations of 200 draws at 1/3
    firsts = [slices.order[0] for slices in rounds]
    assert all(abs(firsts.count(place) - 200 / 3) < 20 for place in range(3))


class _Ready:
    """A turn whose process ends after so many slices."""

    def __init__(self, slices: int = 2, *, interrupts: bool = False) -> None:
        self.ready, self.overlap_ns, self.left, self.interrupts = threading.Event(), 0, slices, interrupts
        self.over = threading.Event()
        self.killed = False
        self.ready.set()

    is_over = property(lambda self: self.over.is_set())
    stands_still = True

    def run(self, length_s: float, *, alone: bool = False) -> None:  # noqa: ARG002  the protocol's
        if self.interrupts:
            raise KeyboardInterrupt
        self.left -= 1
        if self.left == 0:
            self.over.set()

    def running_s(self) -> float:
        return 0.0

    def kill(self) -> None:
        self.killed = True
        self.over.set()

    def give_up(self) -> None:
        self.over.set()
        self.ready.set()


def test_results_come_in_the_order_of_the_jobs() -> None:
    turns = [_Ready(3), _Ready(1), _Ready(2)]

    def job(turn: _Ready) -> int:
        turn.over.wait(10)
        return turns.index(turn)

    assert run_in_slices([job] * 3, turns, _rounds(3)) == [0, 1, 2]


def test_the_others_are_finished_when_one_job_fails() -> None:
    turns = [_Ready(1), _Ready(5)]

    def fails(_turn: _Ready) -> int:
        raise OSError("no disk")

    def works(turn: _Ready) -> int:
        turn.over.wait(10)
        return 1

    with pytest.raises(OSError, match="no disk"):
        run_in_slices([fails, works], turns, _rounds(2))
    assert turns[1].left == 0


def test_an_interrupt_kills_all_and_is_raised_again() -> None:
    turns = [_Ready(interrupts=True), _Ready()]

    def job(turn: _Ready) -> int:
        turn.over.wait(10)
        return 0

    with pytest.raises(KeyboardInterrupt):
        run_in_slices([job] * 2, turns, _rounds(2))
    assert all(turn.killed for turn in turns)


def test_a_module_runs_with_clocks_that_leave_out_the_time_stopped(tmp_path: Path) -> None:
    """Waits of our own count running time: `time.monotonic` and its like are replaced before anything is imported."""
    (tmp_path / "subject.py").write_text(
        "import sys, time\n"
        "assert __name__ == '__main__'\n"
        "print(time.monotonic_ns(), time.perf_counter_ns(), time.monotonic(), time.perf_counter(), *sys.argv[1:])\n"
    )
    stopped = StoppedTime(tmp_path / "stopped")
    stopped.set_ns(10**15)

    done = subprocess.run(
        [sys.executable, "-P", running_clock.__file__, "subject", "argument"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), running_clock.VARIABLE: str(stopped.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    stopped.close()

    *readings, argument = done.stdout.split()
    clocks_ns = time.monotonic_ns(), time.perf_counter_ns()
    shown_ns = [int(readings[0]), int(readings[1]), float(readings[2]) * 1e9, float(readings[3]) * 1e9]
    # within the minute that starting an interpreter may take on a busy machine
    assert shown_ns == pytest.approx([now_ns - 10**15 for now_ns in clocks_ns] * 2, abs=60e9)
    assert argument == "argument"
