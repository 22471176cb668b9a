"""The threads of an export end together, and the first failure is the one that is raised."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from capbench.errors import CancelledExportError, EncoderError, PipelineError, StallError
from capbench.pipeline.threads import stage_group as stages
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.watchdog import StageWatch

TIMEOUT_S = 60.0


class Group:
    """A group with one channel from `a` to `b`."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.cancel = threading.Event()
        self.watch = StageWatch(timeout_s)
        self.stages = StageGroup(self.watch, self.cancel)
        self.channel: Channel[Any] = self.stages.channel("a", "b", max_frames=1, max_bytes=10)
        self.received = threading.Event()

    def receive(self) -> None:
        """Body of `b`: until the end, or until the group is stopped."""
        try:
            list(self.channel)
        finally:
            self.received.set()


def fail() -> None:
    raise ZeroDivisionError("planted")


def test_group_waits_for_all() -> None:
    group = Group()
    received: list[int] = []

    def send() -> None:
        for number in range(5):
            group.channel.send(number, 1)
        group.channel.close()

    group.stages.start("a", send)
    group.stages.start("b", lambda: received.extend(group.channel))
    group.stages.wait()

    assert received == list(range(5))


def test_failure_stops_the_others_and_names_stage_and_frame() -> None:
    group = Group()

    def consume() -> None:
        for number in group.channel:
            if number == 3:
                fail()

    def produce() -> None:
        for number in range(10):
            group.channel.send(number, 1)

    group.stages.start("a", produce)
    group.stages.start("b", consume)

    with pytest.raises(PipelineError, match="b failed at frame 3: planted") as caught:
        group.stages.wait()

    assert (caught.value.stage, caught.value.frame) == ("b", 3)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_own_errors_are_raised_as_they_are() -> None:
    group, error = Group(), EncoderError("planted")

    def refuse() -> None:
        raise error

    group.stages.start("b", refuse)

    with pytest.raises(EncoderError) as caught:
        group.stages.wait()
    assert caught.value is error


def test_error_without_a_frame_gets_the_one_in_hand() -> None:
    group = Group()

    def stall() -> None:
        group.channel.receive()
        raise StallError("the GPU stalled", stage="gpu")

    group.stages.start("b", stall)
    group.channel.send("frame", 1)

    with pytest.raises(StallError) as caught:
        group.stages.wait()
    assert (caught.value.stage, caught.value.frame) == ("gpu", 0)


def test_error_about_another_stage_does_not_get_the_frame_of_the_one_that_waited() -> None:
    group, over = Group(), threading.Event()

    def wait_in_vain() -> None:
        group.channel.receive()
        raise StallError("a stalled", stage="a")

    group.stages.start("a", lambda: over.wait(TIMEOUT_S))
    group.stages.start("b", wait_in_vain)
    group.channel.send("frame", 1)

    with pytest.raises(StallError) as caught:
        group.stages.wait()
    over.set()
    assert (caught.value.stage, caught.value.frame) == ("a", None)


def test_cancelled_group_ends() -> None:
    group = Group()
    group.stages.start("b", lambda: list(group.channel))
    group.cancel.set()

    with pytest.raises(CancelledExportError):
        group.stages.wait()


def test_stage_that_nobody_waits_for_is_found_to_hang() -> None:
    group, over = Group(timeout_s=0.05), threading.Event()
    group.stages.start("b", lambda: over.wait(TIMEOUT_S))

    with pytest.raises(StallError, match="b stalled"):
        group.stages.wait()

    over.set()


def test_hung_stage_is_left_behind_after_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_GRACE_S", 0.05)
    group, over = Group(), threading.Event()
    group.stages.start("a", lambda: over.wait(TIMEOUT_S))
    group.stages.start("b", fail)

    with pytest.raises(PipelineError, match="b failed: planted"):
        group.stages.wait()

    over.set()


def test_channel_that_joins_late_is_stopped_at_once() -> None:
    group = Group()
    group.stages.stop(ZeroDivisionError("planted"))
    late: Channel[Any] = group.stages.channel("a", "b", max_frames=1, max_bytes=1)

    with pytest.raises(PipelineError, match="planted"):
        late.receive()


def test_first_failure_is_raised_where_the_caller_meets_its_echo() -> None:
    """A stage may fail before the thread that starts the stages is through with its own calls."""
    group, error = Group(), EncoderError("planted")

    def refuse() -> None:
        raise error

    def call() -> None:
        with group.stages:
            group.stages.start("b", group.receive)
            group.stages.start("a", refuse)
            assert group.received.wait(TIMEOUT_S)
            group.channel.send(0, 1)

    with pytest.raises(EncoderError) as caught:
        call()

    assert caught.value is error


@pytest.mark.parametrize(
    ("met", "raised"), [(KeyboardInterrupt(), CancelledExportError), (EncoderError("planted"), EncoderError)]
)
def test_what_the_caller_meets_ends_the_stages_that_run(met: BaseException, raised: type[BaseException]) -> None:
    group = Group()

    def call() -> None:
        with group.stages:
            group.stages.start("b", group.receive)
            raise met

    with pytest.raises(raised):
        call()

    assert group.received.is_set()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at a limit of threads: the stages that run are stopped, and the error names the stage."""
    group = Group()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "capbench-a":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    def call() -> None:
        with group.stages:
            group.stages.start("b", lambda: list(group.channel))
            group.stages.start("a", fail)

    with pytest.raises(PipelineError, match="a has no thread: can't start new thread") as caught:
        call()

    assert caught.value.stage == "a"
