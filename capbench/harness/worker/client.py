"""Giving a job to a worker process and reading its answer."""

from __future__ import annotations

import errno
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.harness.process.failure_reason import failure_reason
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.process.slice_turn import SliceTurn
from capbench.installation import environment_for
from capbench.results.run_record import Scheduling

__all__ = ["JobResult", "answered", "ask_worker", "describe_failure", "unanswered"]

_WORKER = "capbench.harness.worker"
_RUNNING_CLOCK = Path(__file__).parents[1] / "process" / "running_clock.py"


@dataclass(frozen=True, slots=True)
class JobResult:
    """Answer of a worker, and how its process ended. Exactly one of `result` and `error` is set."""

    outcome: Outcome
    """The process."""
    result: dict[str, Any] | None = None
    """What the job returned."""
    error: str | None = None
    """Why it failed, in one line."""
    exit_code: int = 1
    """Exit code of the design for that error."""
    error_type: str | None = None
    """Name of the exception; None where the process died."""
    disk_full: bool = False
    """Whether it failed because a disk was full: that says nothing about the job, which can be done again."""


def ask_worker(
    job: str,
    spec: Mapping[str, Any],
    *,
    scratch: Path,
    timeout_s: float,
    python: Path | None = None,
    env: Mapping[str, str] | None = None,
    observation: Observation | None = None,
    turn: SliceTurn | None = None,
    scheduling: Scheduling = "normal",
) -> JobResult:
    """Run one job of `capbench.harness.worker` in a separate process. `scratch` is a folder for the two files.

    Nothing of it is sampled without an `observation`.
    With a `turn` it runs in slices, and its clocks leave out the time between them.
    """
    token, scratch = secrets.token_hex(4), scratch.absolute()  # the process starts inside it
    spec_path, answer_path = scratch / f"{job}-{token}.spec.json", scratch / f"{job}-{token}.answer.json"
    try:
        spec_path.write_text(json.dumps({**spec, "job": job, "answer": str(answer_path)}), encoding="utf-8")
        outcome = run_process(
            [str(python or sys.executable), "-X", "utf8", "-P", *_start_of(turn), str(spec_path)],
            env=environment_for(python) | dict(env or {}),
            cwd=scratch,
            timeout_s=timeout_s,
            observation=observation or Observation(sampled=False),
            turn=turn,
            scheduling=scheduling,
        )
        return _read_answer(outcome, answer_path, timeout_s)
    finally:
        spec_path.unlink(missing_ok=True)
        answer_path.unlink(missing_ok=True)


def _start_of(turn: SliceTurn | None) -> tuple[str, ...]:
    """Arguments of the interpreter that start the worker: of its own revision, the clock always of this one."""
    return ("-m", _WORKER) if turn is None else (str(_RUNNING_CLOCK), _WORKER)


def _read_answer(outcome: Outcome, answer_path: Path, timeout_s: float) -> JobResult:
    if outcome.timed_out:
        return JobResult(outcome, error=f"did not end within {timeout_s:g} s and was killed")
    try:
        said = json.loads(answer_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return unanswered(outcome)
    return answered(said, outcome)


def unanswered(outcome: Outcome) -> JobResult:
    """The result of a worker that ended without an answer."""
    # The answer itself may have found no room; then the traceback tells.
    disk_full = os.strerror(errno.ENOSPC) in outcome.stderr
    return JobResult(outcome, error=describe_failure("the worker", outcome), disk_full=disk_full)


def answered(said: dict[str, Any], outcome: Outcome) -> JobResult:
    """The result in a worker's answer."""
    if "result" in said:
        return JobResult(outcome, result=said["result"])
    # Older revisions do not say whether the disk was full.
    disk_full = said.get("disk_full") or os.strerror(errno.ENOSPC) in said["error"]
    return JobResult(
        outcome, error=said["error"], exit_code=said["exit_code"], error_type=said["type"], disk_full=disk_full
    )


def describe_failure(who: str, outcome: Outcome) -> str:
    """One line on a process that failed: how it ended and the last line that it wrote and that is no progress."""
    ending = outcome.ending
    if ending.failure is not None:
        return ending.failure
    code = ending.exit_code or 0
    how = f"exit code {code}"
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        how = f"signal {names.get(-code, -code)}"
    reason = failure_reason(outcome.stderr, outcome.stdout)
    if reason is not None:
        return f"{who} ended with {how}: {reason[:300]}"
    return f"{who} ended with {how} and wrote nothing {'but progress' if outcome.stderr.strip() else 'to stderr'}"
