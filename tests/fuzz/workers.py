"""The processes that share a campaign, each of which answers by a pipe of its own: its end tells that one has died."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Final

from tests.fuzz.limited_run import HANG_S, Outcome

__all__ = ["SILENCE_S", "Answer", "LostWorkerError", "answers_of"]

SILENCE_S: Final = 2 * HANG_S
"""Without a word of any worker for so long: an input and the count of its frames take less, each within its limit."""

Answer = tuple[int, str, str, Outcome]
"""Number, name and kind of an input, and how it ended."""


class LostWorkerError(Exception):
    """A worker ended before its share was done, or all hang."""


def answers_of(share: Callable[[int, Connection], None], jobs: int) -> Iterator[Answer]:
    """All that so many workers answer. `share` is given a worker's number and its pipe, and sends None at last.

    Raises:
        LostWorkerError: as soon as a worker ends in the middle of its share; the others are ended too.
    """
    context = multiprocessing.get_context("spawn")
    workers = {}
    for first in range(jobs):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=share, args=(first, sender))
        worker.start()
        sender.close()  # what is left open is the worker's own
        workers[receiver] = worker
    working = dict(workers)
    try:
        while working:
            ready = wait(list(working), SILENCE_S)
            if not ready:
                raise LostWorkerError(f"no worker has answered for {SILENCE_S:.0f} s")
            for receiver in working.keys() & ready:
                try:
                    answer: Answer | None = receiver.recv()
                except EOFError:
                    working[receiver].join()
                    code = working[receiver].exitcode
                    raise LostWorkerError(f"a worker ended with exit code {code} in the middle of its share") from None
                if answer is None:
                    del working[receiver]
                else:
                    yield answer
    finally:
        for receiver, worker in workers.items():
            worker.kill()
            worker.join()
            receiver.close()
