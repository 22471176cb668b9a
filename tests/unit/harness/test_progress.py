"""What the user sees of a running matrix, and the estimate of the time left."""

from __future__ import annotations

import io

from rich.console import Console

from capbench.harness.matrix.command_line import fill_command
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.run.progress import LiveProgress, PlainProgress, TimeLeft, open_progress
from capbench.harness.run.schedule import ScheduledRun
from capbench.results import RunResult, RunRole


def _step(case: str = "4k", subject: str = "gpu", block: int = 0, role: RunRole = RunRole.MEASURE) -> ScheduledRun:
    settled = Case(
        name=case,
        recording="x",
        subjects=(subject,),
        blocks=1,
        timeout_s=1,
        settle_s=0,
        warmup=False,
        drift_control=False,
    )
    return ScheduledRun(settled, Subject(name=subject, path="gpu"), block, 0, role)


def _run(**more: object) -> RunResult:
    return RunResult.model_validate({"case": "4k", "subject": "gpu", "block": 0, "wall_s": 2.5, "fps": 12.0} | more)


def test_time_left_prefers_the_same_subject_then_the_same_case() -> None:
    left = TimeLeft()
    assert left.of([_step()]) is None
    left.add(_step(), 10.0)
    left.add(_step(), 20.0)
    left.add(_step(subject="cpu"), 60.0)

    assert left.expect_s(_step()) == 15.0
    assert left.expect_s(_step(subject="floor")) == 30.0
    assert left.expect_s(_step(case="hls")) == 30.0
    assert left.of([_step(), _step(subject="cpu")]) == 75.0


def test_plain_progress_is_one_line_a_run() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)

    progress.begin(_step(block=2), 90.0)
    progress.end(_run())
    progress.begin(_step(role=RunRole.DRIFT_START), None)
    progress.end(_run(error="it broke", wall_s=None))
    progress.say("and so on")

    assert stream.getvalue().splitlines() == [
        "4k  gpu  block 3  1 min 30 s left: 2.50 s, 12.0 fps",
        "4k  gpu  drift start: failed: it broke",
        "and so on",
    ]


def test_live_progress_shows_frames_a_second_now_and_time_left() -> None:
    now = [100.0]
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    progress = LiveProgress(console, now_s=lambda: now[0])
    try:
        progress.begin(_step(), 60.0)
        now[0] = 101.0
        progress.frame(30)
        now[0] = 103.0
        progress.frame(90)  # 60 frames in 2 s
        now[0] = 105.0  # 5 s of the 60 are over
        row = Console(file=io.StringIO(), width=120, record=True)
        row.print(progress.__rich__())
        shown = row.export_text()
    finally:
        progress.close()

    assert shown.split() == ["4k", "gpu", "block", "1", "frame", "90", "30", "fps", "55.0", "s", "left"]


def test_the_stream_decides_how_progress_looks() -> None:
    assert isinstance(open_progress(io.StringIO(), quiet=False), PlainProgress)
    stream = io.StringIO()
    silent = open_progress(stream, quiet=True)
    silent.say("nothing")
    silent.begin(_step(), None)
    silent.end(_run())
    assert stream.getvalue() == ""


def test_placeholders_are_filled_inside_words_and_options_become_arguments() -> None:
    words = ("prog", "-i={source}", "{{literal}}", "{encoder_options}", "{width}x{height}", "{output}")

    filled = fill_command(words, {"source": "a b.mp4", "output": "o", "width": "2", "height": "4"}, ["-c", "x264"])

    assert filled == ["prog", "-i=a b.mp4", "{literal}", "-c", "x264", "2x4", "o"]
