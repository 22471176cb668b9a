"""What counts as a fault of an input, decided of given ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the fuzzer forks and limits, which Windows cannot")

from tests.fuzz.limited_run import HANG_S, MEMORY_BYTES, _faults_of

_TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 3, in read\n    y()\nValueError: no such thing\n'


@pytest.mark.parametrize(
    ("status", "peak", "wall_s", "said", "starts"),
    [
        (0, 10**8, 0.2, "", None),
        (2 << 8, 10**8, 0.2, "capbench: not a video", None),
        (1 << 8, 10**8, 0.2, _TRACEBACK, "traceback: ValueError: no such thing"),
        (signal.SIGSEGV, 10**8, 0.2, "", "signal: SIGSEGV"),
        (70 << 8, 10**8, 0.2, "", "exit-code: 70"),
        (0, MEMORY_BYTES + 1, 0.2, "", "memory: 2.0 GB"),
        (None, 10**8, HANG_S + 1, "", "hang:"),
        (None, 3 * MEMORY_BYTES, 2.0, "", "memory: 6.0 GB"),
    ],
)
def test_an_end_is_judged(status: int | None, peak: int, wall_s: float, said: str, starts: str | None) -> None:
    faults = _faults_of(status, peak, wall_s, said)

    assert len(faults) == (starts is not None)
    assert starts is None or faults[0].startswith(starts)


_PLANTED = """
import os, pathlib, sys
from tests.fuzz import limited_run
from tests.fuzz.seeds.seed_input import SeedInput

limited_run._command = lambda arguments: eval(arguments[0])
for work in sys.argv[1:]:
    seed = SeedInput("planted", "scene", {}, (), (work,), may_leave=("*.gif",))
    print(*limited_run.run_limited(seed, {"input": b"x"}).faults)
"""


def test_planted_faults_are_seen() -> None:
    """One process plants all, because starting it takes most of the time."""
    fault_of = {
        "0": "",
        "1 // 0": "traceback",
        "os.kill(os.getpid(), 11)": "signal",
        "pathlib.Path('left').write_bytes(b'x') and 0": "left-over",
        "pathlib.Path('out.gif').write_bytes(b'x') and 0": "",
        "pathlib.Path('out.gif').write_bytes(b'x') and 2": "left-over",
        "pathlib.Path('input').write_bytes(b'y') and 0": "changed",
        "pathlib.Path('input').unlink() or 0": "changed",
    }
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run(
        [sys.executable, "-c", _PLANTED, *fault_of],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=100,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )

    said = [line.partition(":")[0].strip() for line in done.stdout.splitlines()]
    assert dict(zip(fault_of, said, strict=True)) == fault_of
