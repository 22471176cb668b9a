"""What the whole runs of a test process share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capbench.harness.run import start
from tests.jobs_in_process import jobs_done_here


@pytest.fixture(scope="session", autouse=True)
def _machine_described_once() -> Iterator[None]:
    """Ask a worker process what this machine is for the first matrix alone: opening a GPU device takes a second.

    Every matrix gets that answer. One that a test starts in a process of its own asks for itself.
    """
    described: list[dict[str, Any]] = []
    ask = start.ask_machine

    def ask_once(folder: Path) -> dict[str, Any]:
        if not described:
            described.append(ask(folder))
        return dict(described[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "ask_machine", ask_once)
        yield


@pytest.fixture
def untimed_jobs_here() -> Iterator[None]:
    """For a matrix whose subject is not how workers are asked: `tests/integration/test_run_matrix.py` has those."""
    with jobs_done_here():
        yield
