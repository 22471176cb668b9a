"""The jobs of worker processes, done in the process that asks: a worker takes half a second to load its libraries."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from unittest import mock

from capbench.errors import CapbenchError
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import executor, prepare_source, validate_output
from capbench.harness.worker.client import JobResult, ask_worker
from capbench.harness.worker.kept_workers import Job

__all__ = ["done_here", "jobs_done_here"]

Key = TypeVar("Key")

_UNTIMED: Final = ("check", "inspect", "memory", "prepare")
"""Jobs around the runs; what is timed stays in a process of its own."""


def done_here(job: str, spec: Mapping[str, Any], **_process: object) -> JobResult:
    """In place of `ask_worker`. Both sides see what JSON makes of the other's values."""
    from capbench.harness.worker.__main__ import JOBS

    outcome = Outcome(Ending(0), timed_out=False, stdout="", stderr="")
    try:
        return JobResult(outcome, result=json.loads(json.dumps(JOBS[job](json.loads(json.dumps(spec))))))
    except CapbenchError as error:
        return JobResult(outcome, error=str(error), exit_code=error.exit_code, error_type=type(error).__name__)


def _one_by_one_here(
    jobs: Sequence[tuple[Key, Job]], **_processes: object
) -> Generator[tuple[Key, JobResult], None, None]:
    """In place of `ask_side_by_side`, which loads the libraries of validation once a core for each block."""
    for key, (name, spec) in jobs:
        yield key, done_here(name, spec)


@contextlib.contextmanager
def jobs_done_here() -> Iterator[None]:
    """Let matrices prepare their sources, and inspect and validate their outputs, in this process."""

    def ask(job: str, spec: Mapping[str, Any], **process: Any) -> JobResult:
        return done_here(job, spec) if job in _UNTIMED else ask_worker(job, spec, **process)

    with (
        mock.patch.object(executor, "ask_worker", ask),
        mock.patch.object(prepare_source, "ask_worker", ask),
        mock.patch.object(validate_output, "ask_side_by_side", _one_by_one_here),
    ):
        yield
