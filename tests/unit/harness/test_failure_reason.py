"""Which line of a program's output is shown as the reason of its failure."""

from __future__ import annotations

import time

import pytest

from capbench.harness.process.failure_reason import failure_reason

_STATUS = "frame=    0 fps=0.0 q=0.0 Lsize=       0KiB time=N/A bitrate=N/A speed=N/A elapsed=0:00:00.01"
_X264 = "[libx264 @ 0x55895627a080] "


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("first\nno such codec\n", "no such codec"),
        (
            f"[out#0/mp4 @ 0x1] Nothing was written into output file\n{_STATUS}    \nConversion failed!\n",
            "[out#0/mp4 @ 0x1] Nothing was written into output file",
        ),
        ("disk is full\rframe=  1 fps=1 q=1 size= 0 time=0\rframe=  2 fps=1 q=1 size= 0 time=1\r", "disk is full"),
        ("broken\nout_time=00:00:00.9\ndup_frames=0\nspeed=20.6x\nprogress=end\n", "broken"),
        (
            f"broken\n{_X264}frame I:1 Avg QP:20\n{_X264}kb/s:36.78\nbench: utime=0.025s stime=0.002s rtime=0.045s\n",
            "broken",
        ),
        ("broken\n 45%|████▌     | 45/100 [00:01<00:01, 30.1it/s]\n", "broken"),
        ("broken\nEncoding: task 1 of 1, 45.32 % (123.45 fps, avg 120.00 fps, ETA 00h00m12s)\n", "broken"),
        ('  File "x.py", line 1\n    a b\n    ^^^\nSyntaxError: invalid syntax\n', "SyntaxError: invalid syntax"),
        ("Disk is 100% full\n", "Disk is 100% full"),
        ("progress=ok but no licence was found = fatal\n", "progress=ok but no licence was found = fatal"),
        ("Conversion failed!\n", "Conversion failed!"),
        ("\n \n", None),
        ("frame=3\nframe=4\n", None),
    ],
)
def test_the_reason_is_the_last_line_that_is_no_progress(stderr: str, reason: str | None) -> None:
    assert failure_reason(stderr) == reason


def test_standard_output_is_asked_when_standard_error_has_no_reason() -> None:
    assert failure_reason("frame=1\n", "cannot open the licence\n") == "cannot open the licence"
    assert failure_reason("why\n", "something else\n") == "why"


def test_a_bar_without_an_end_takes_no_time() -> None:
    begun_s = time.monotonic()
    failure_reason(("9" * 70_000 + "%") * 2 + "\n" + "=" * 100_000, "x 1 " * 50_000)

    # Milliseconds; a pattern that backtracks would take minutes.
    assert time.monotonic() - begun_s < 5
