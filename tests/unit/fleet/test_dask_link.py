"""Calls of machines, beside others that are given up; Dask's futures are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from capbench.fleet.block_job import BundleFile
from capbench.fleet.dispatch.dask_link import CallFailedError, DaskLink

_FILE = BundleFile(name="clip.mp4", sha256="0" * 64, size_bytes=1)


@dataclass
class _Future:
    """Answers 1 after what it is told to do first."""

    first: Callable[[], None] = lambda: None
    is_dropped: bool = False
    hangs: bool = False
    released: int = 0
    awaited: asyncio.Event = field(default_factory=asyncio.Event)

    def __await__(self) -> Generator[Any, None, int]:
        return self._result().__await__()

    async def _result(self) -> int:
        was_awaited = self.awaited.is_set()
        self.awaited.set()
        if not was_awaited:
            self.first()
        if self.is_dropped:
            raise asyncio.CancelledError
        if self.hangs:
            await asyncio.Event().wait()
        return 1

    def cancelled(self) -> bool:
        return self.is_dropped

    def release(self) -> None:
        self.released += 1


@dataclass
class _Client:
    future: _Future

    def submit(self, *_arguments: object, **_settings: object) -> _Future:
        return self.future


def _link(future: _Future) -> DaskLink:
    return DaskLink(_Client(future))  # type: ignore[arg-type]  # of a client it is all that a call needs


def _is_cancelled() -> None:
    raise asyncio.CancelledError


def test_a_call_does_not_end_with_another_whose_machine_was_lost() -> None:
    """Dask cancels the one request by which it fetches both results."""
    future = _Future(first=_is_cancelled)

    assert asyncio.run(_link(future).stored_bytes("tcp://tower:1", _FILE)) == 1
    assert future.released == 1


def test_a_call_that_is_given_up_ends() -> None:
    future = _Future(hangs=True)

    async def give_up() -> None:
        call = asyncio.create_task(_link(future).stored_bytes("tcp://tower:1", _FILE))
        await future.awaited.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(call, 10)

    asyncio.run(give_up())
    assert future.released == 1


def test_a_call_that_the_scheduler_has_dropped_has_failed() -> None:
    future = _Future(is_dropped=True)

    with pytest.raises(CallFailedError, match="dropped"):
        asyncio.run(_link(future).stored_bytes("tcp://tower:1", _FILE))
    assert future.released == 1
