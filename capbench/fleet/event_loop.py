"""Running coroutines until they end or something else comes first, in order: what they hold is let go of."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["UnlessError", "run_in_order", "unless"]

Returned = TypeVar("Returned")


class UnlessError(Exception):
    """The event came first."""


def run_in_order(main: Coroutine[Any, Any, Returned]) -> Returned:
    """As `asyncio.run`, with Ctrl-C and SIGTERM cancelling `main`, and raising `KeyboardInterrupt` when it has ended.

    An exception that a signal raised wherever the loop happens to be would end Dask's own coroutines, which complain.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    was_interrupted = False

    async def run() -> Returned:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            nonlocal was_interrupted
            was_interrupted = True
            task.cancel()

        for number in numbers:
            # Windows has no such handlers, and only the main thread has any.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, interrupt)
        return await main

    before = {number: signal.getsignal(number) for number in numbers}
    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        if was_interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            with contextlib.suppress(ValueError):  # not the main thread: nothing was changed
                signal.signal(number, handler)


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, Returned]) -> Returned:
    """What a coroutine returns, unless an event is set first: it is cancelled then. Raises `UnlessError`, its own."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise UnlessError
        return working.result()
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
