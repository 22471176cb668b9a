"""Whoever times is alone on the machine: between processes, and whatever becomes of the one that holds the lock."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from capbench.errors import UnavailableError
from capbench.fleet.workers.machine_lock import MOST_VALIDATING, MachineBusyError, MachineLock

_HOLD = """
import sys
from pathlib import Path
from capbench.fleet.workers.machine_lock import MachineLock
with getattr(MachineLock(Path(sys.argv[1])), sys.argv[2])():
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
    waits = threading.Event()

    def noted(_time_s: float) -> None:
        waits.set()
        threading.Event().wait(0.01)

    def time() -> None:
        with MachineLock(tmp_path, sleep=noted).timing():
            order.append("timed")

    with _at_once(tmp_path).validating(timeout_s=0):
        timing = threading.Thread(target=time)
        timing.start()
        assert waits.wait(10)
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
