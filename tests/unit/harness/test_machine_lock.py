"""Whoever times is alone on the machine: between processes, and whatever becomes of the one that holds the lock."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from capbench.errors import UnavailableError
from capbench.harness.machine.machine_lock import (
    LOCK_VARIABLE,
    MOST_VALIDATING,
    MachineBusyError,
    MachineLock,
    RunTurns,
    machine_lock_folder,
)

_HOLD = """
import sys
from pathlib import Path
from capbench.harness.machine.machine_lock import MachineLock
with getattr(MachineLock(Path(sys.argv[1]), command="capbench run quick"), sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def _held_elsewhere(folder: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    command = [sys.executable, "-c", _HOLD, str(folder), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _at_once(folder: Path) -> MachineLock:
    return MachineLock(folder, sleep=lambda _time_s: None)


def _saying(folder: Path, said: list[str]) -> MachineLock:
    """A lock whose clock moves by a second at each look, and which notes what is said of a wait."""
    now_s = iter(range(1000))
    return MachineLock(folder, on_wait=said.append, now_s=lambda: next(now_s), sleep=lambda _time_s: None)


def _waiting(folder: Path, pause: Callable[[], object], then: Callable[[], object]) -> threading.Thread:
    """A thread that waits for the machine, once it does; it pauses between looks, and does something in its turn."""
    waits = threading.Event()

    def sleep(_time_s: float) -> None:
        waits.set()
        pause()

    def have_a_turn() -> None:
        with MachineLock(folder, sleep=sleep).timing():
            then()

    thread = threading.Thread(target=have_a_turn)
    thread.start()
    assert waits.wait(10)
    return thread


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ("timing", "timing", False),
        ("timing", "validating", False),
        ("validating", "timing", False),
        ("validating", "validating", True),
    ],
)
def test_what_fits_beside_what(tmp_path: Path, first: str, second: str, *, fits: bool) -> None:
    with _held_elsewhere(tmp_path, first), contextlib.ExitStack() as stack:
        if not fits:
            stack.enter_context(pytest.raises(MachineBusyError))
        with getattr(_at_once(tmp_path), second)(timeout_s=0):
            pass


@pytest.mark.parametrize("how", ["timing", "validating"])
def test_a_process_that_is_killed_leaves_no_lock(tmp_path: Path, how: str) -> None:
    with _held_elsewhere(tmp_path, how) as process:
        process.kill()
        process.wait()

        with _at_once(tmp_path).timing(timeout_s=0):
            pass


def test_a_block_that_waits_keeps_new_validation_out_and_begins_when_the_old_has_ended(tmp_path: Path) -> None:
    """It drains validation first: a queue of outputs to validate cannot put it off for ever."""
    order: list[str] = []

    with _at_once(tmp_path).validating(timeout_s=0):
        timing = _waiting(tmp_path, lambda: time.sleep(0.01), lambda: order.append("timed"))
        with pytest.raises(MachineBusyError), _at_once(tmp_path).validating(timeout_s=0):
            pass
        order.append("old validation ends")
    timing.join(10)

    assert order == ["old validation ends", "timed"]
    with _at_once(tmp_path).validating(timeout_s=0):
        pass


def test_validation_side_by_side_is_bounded(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_VALIDATING):
            stack.enter_context(_at_once(tmp_path).validating(timeout_s=0))
        with pytest.raises(MachineBusyError):
            stack.enter_context(_at_once(tmp_path).validating(timeout_s=0))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UnavailableError, match="cannot lock this machine"), _at_once(tmp_path / "file").timing():
        pass


def test_a_run_that_has_just_ended_a_block_leaves_the_machine_to_the_one_that_waits(tmp_path: Path) -> None:
    """Two runs at once take turns: whoever has the machine would otherwise have it again before the other looks."""
    has_tried, order = threading.Event(), list[str]()

    with _at_once(tmp_path).timing(timeout_s=0):
        other = _waiting(tmp_path, lambda: has_tried.wait(10), lambda: order.append("the other"))
    with pytest.raises(MachineBusyError), _at_once(tmp_path).timing(timeout_s=0):
        pass
    has_tried.set()
    other.join(10)

    assert order == ["the other"]
    with _at_once(tmp_path).timing(timeout_s=0):
        pass


def test_who_is_waited_for_is_said_once_and_not_for_a_moment(tmp_path: Path) -> None:
    said: list[str] = []

    with _held_elsewhere(tmp_path, "timing") as holder:
        for timeout_s in (0.0, 5.0):
            with pytest.raises(MachineBusyError), _saying(tmp_path, said).timing(timeout_s=timeout_s):
                pass

    assert said == [f"`capbench run quick` is timing on it, process {holder.pid}"]


def test_validation_that_is_waited_for_is_said_to_be_that(tmp_path: Path) -> None:
    said: list[str] = []

    with (
        _held_elsewhere(tmp_path, "validating"),
        pytest.raises(MachineBusyError),
        _saying(tmp_path, said).timing(timeout_s=5),
    ):
        pass

    assert said == ["another capbench validates or prepares something on it"]
    assert not list(tmp_path.glob("*.json"))


def test_capbench_inside_of_what_is_timed_does_not_wait_for_that(tmp_path: Path) -> None:
    """An exporter that calls capbench would wait for the run that waits for it."""
    inner = (
        "import sys; from pathlib import Path; from capbench.harness.machine.machine_lock import RunTurns\n"
        "turns = RunTurns(Path(sys.argv[1]), command='inner', say=print)\n"
        "with turns.validating(): pass\n"
        "with turns.timing(): print('done')"
    )

    with MachineLock(tmp_path).timing():
        done = subprocess.run(
            [sys.executable, "-c", inner, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
        )

    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("content", ["", "[]", '{"pid": "x"}', "\0" * 100_000])
def test_what_is_said_of_the_holder_may_be_damaged(tmp_path: Path, content: str) -> None:
    said: list[str] = []
    lock = _saying(tmp_path, said)

    with _held_elsewhere(tmp_path, "timing"):
        (tmp_path / "holder.json").write_text(content)
        with pytest.raises(MachineBusyError), lock.timing(timeout_s=5):
            pass
        assert not lock.is_held_around_us()

    assert len(said) == 1


def test_a_machine_that_cannot_be_locked_is_said_once_and_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said, blocks = list[str](), 0
    turns = RunTurns(tmp_path / "file", command="capbench run quick", say=said.append)

    for _ in range(3):
        with turns.timing():
            blocks += 1

    assert blocks == 3
    (line,) = said
    assert "cannot lock this machine" in line
    assert LOCK_VARIABLE in line


def test_an_error_of_what_is_timed_is_not_one_of_the_lock(tmp_path: Path) -> None:
    turns = RunTurns(tmp_path, command="capbench run quick", say=lambda _line: None)

    with pytest.raises(UnavailableError, match="no adapter"), turns.timing():
        raise UnavailableError("no adapter")

    with _at_once(tmp_path).timing(timeout_s=0):
        pass


def test_the_lock_is_where_all_of_one_user_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv(LOCK_VARIABLE)
    by_default = machine_lock_folder()
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "named"))

    assert by_default.parent == tmp_path
    assert machine_lock_folder() == tmp_path / "named"
