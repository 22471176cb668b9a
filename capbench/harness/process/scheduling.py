"""Real-time scheduling: a measured process has the cores before everything else that runs on the machine.

Linux runs a thread of the policy SCHED_RR whenever it can, before any thread of the normal policy (sched(7)); what
other programs do then changes memory bandwidth, caches and clock rates, but takes no time away. What measures the
process and ends its slices has to come before it in turn.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator

from capbench.errors import UnavailableError
from capbench.results.run_record import Scheduling

__all__ = ["OBSERVER_PRIORITY", "SUBJECT_PRIORITY", "before_the_subject", "realtime_refusal", "require_scheduling"]

SUBJECT_PRIORITY = 1
"""The lowest of real time: the kernel's own threads of real time, for interrupts, keep theirs."""
OBSERVER_PRIORITY = 2
"""Of the threads that sample it, read its output and end its slices, and of its supervisor."""


@contextlib.contextmanager
def before_the_subject(scheduling: Scheduling) -> Iterator[None]:
    """Let this thread run before a subject with that scheduling; threads and processes that it starts inherit this.

    Raises `OSError` where the kernel refuses.
    """
    if scheduling == "normal" or sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(OBSERVER_PRIORITY))  # 0: the calling thread alone
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def realtime_refusal() -> str | None:
    """Why real-time scheduling cannot be had here, with the remedy; None where it can."""
    if sys.platform != "linux":
        return "real-time scheduling is for Linux alone"
    try:
        with before_the_subject("realtime"):
            return None
    except OSError as error:  # EPERM; ENOSYS where the C library has no such call
        return (
            f"the kernel refuses real-time scheduling ({error.strerror}): run as root, with the capability "
            "CAP_SYS_NICE (docker run --cap-add SYS_NICE) or with `ulimit -r 2`; where it has groups of real time "
            "(CONFIG_RT_GROUP_SCHED), from its root control group"
        )


def require_scheduling(asked: Iterable[Scheduling]) -> None:
    """Raises `UnavailableError` where this machine does not have a scheduling that was asked for."""
    reason = realtime_refusal() if "realtime" in set(asked) else None
    if reason is not None:
        raise UnavailableError(f"{reason}; or measure with --scheduling normal")
