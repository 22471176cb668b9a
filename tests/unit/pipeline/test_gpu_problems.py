"""Two exports in a process share wgpu's logger, and each hears of its own device."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from capbench.errors import DeviceLostError, StallError
from capbench.pipeline.gpu import device
from capbench.pipeline.gpu.device import GpuContext, collected_problems, wait_for, working_for

LOSS = "The WGPU device was lost (unknown):\nand why"


class Export:
    """Stands for an export: a thread that submits, and one that polls for wgpu."""

    def __init__(self) -> None:
        self.submitting = ThreadPoolExecutor(max_workers=1)
        self.polling = ThreadPoolExecutor(max_workers=1)
        poller = SimpleNamespace(ident=self.polling.submit(threading.get_ident).result())
        device: Any = SimpleNamespace(_poller=poller)
        self.context = GpuContext(device, "none", True, False, 1.0, 0.0)
        self.collecting = collected_problems(self.context)
        self.submitting.submit(self.collecting.__enter__).result()

    def end(self) -> None:
        self.submitting.submit(self.collecting.__exit__, None, None, None).result()
        self.submitting.shutdown()
        self.polling.shutdown()


def log_loss() -> None:
    logging.getLogger("wgpu").error(LOSS)


@pytest.mark.parametrize(
    ("log_on", "first_hears", "second_hears"),
    [
        (lambda first, _: first.submitting.submit(log_loss).result(), True, False),
        (lambda first, _: first.polling.submit(log_loss).result(), True, False),
        (lambda _, second: second.polling.submit(log_loss).result(), False, True),
        (lambda _, __: log_loss(), True, True),
    ],
    ids=["submitting", "polling", "the other's", "nobody's"],
)
def test_an_export_hears_of_its_own_device(
    log_on: Callable[[Export, Export], None], first_hears: bool, second_hears: bool
) -> None:
    first, second = Export(), Export()
    try:
        log_on(first, second)
    finally:
        first.end()
        second.end()

    for export, hears in ((first, first_hears), (second, second_hears)):
        assert export.context.problems == ([LOSS.splitlines()[0]] if hears else [])
        if hears:
            with pytest.raises(DeviceLostError, match="device was lost"):
                export.context.check()


def test_an_identifier_that_a_later_thread_got_stays_that_thread_s() -> None:
    """The system gives a thread that has ended its identifier back, which the next export's may get."""
    first = Export()
    polled_by = first.context.device._poller.ident  # type: ignore[attr-defined]
    other = GpuContext(first.context.device, "none", True, False, 1.0, 0.0)
    with working_for(other, polled_by):
        first.end()
        assert device._thread_owners[polled_by] is other
    assert polled_by not in device._thread_owners


def test_a_logger_that_was_there_before_wgpu_is_no_obstacle() -> None:
    """A program that only wants to hear less of wgpu, and has not imported it."""
    code = (
        "import logging\n"
        "logging.getLogger('wgpu').setLevel(logging.CRITICAL)\n"
        "logging.getLogger('wgpu').addHandler(logging.NullHandler())\n"
        "from capbench.pipeline.gpu.device import list_adapters\n"
        "list_adapters()\n"
        "logger = logging.getLogger('wgpu')\n"
        "print(logger.level, [type(handler).__name__ for handler in logger.handlers])\n"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split("\n")[0] == "50 ['NullHandler']"


def test_nothing_is_heard_after_the_end() -> None:
    export = Export()
    export.end()

    log_loss()

    assert export.context.problems == []


class _StoppedMeanwhile:
    """A wait that is over early, as that of a process which was stopped for longer than the wait."""

    def __init__(self) -> None:
        self.waits = 0

    def wait(self, timeout: float) -> bool:
        assert timeout > 0
        self.waits += 1
        return self.waits > 3


def test_a_wait_that_a_stop_cut_short_goes_on() -> None:
    """The time limit counts running time, and the clock of a run in slices stands still while it is stopped."""
    event, waited = _StoppedMeanwhile(), list[str]()
    promise: Any = SimpleNamespace(_thread_event=event, sync_wait=lambda: waited.append("done"))

    wait_for(promise, 60.0, "a picture")

    assert (event.waits, waited) == (4, ["done"])


def test_a_wait_whose_time_is_up_is_a_stall() -> None:
    promise: Any = SimpleNamespace(_thread_event=threading.Event())

    with pytest.raises(StallError, match=r"a picture did not finish in 0\.01 s"):
        wait_for(promise, 0.01, "a picture")
