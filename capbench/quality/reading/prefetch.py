"""Prefetching: the next item of an iterator is made in another thread while the current one is examined."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["LookAhead"]

T = TypeVar("T")


class LookAhead(Generic[T]):
    """Iterates like the given iterator, one item ahead of the consumer.

    What the iterator raises is raised in its turn. Decoding, scaling and most of NumPy let other threads run.
    None must not be among the items.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._thread = ThreadPoolExecutor(1, "capbench-ahead")
        self._next: Future[T | None] = self._thread.submit(next, items, None)

    def __iter__(self) -> LookAhead[T]:
        return self

    def __next__(self) -> T:
        item = self._next.result()
        if item is None:
            raise StopIteration
        self._next = self._thread.submit(next, self._items, None)
        return item

    def close(self) -> None:
        """Wait for the item that is being made, and end the thread."""
        self._thread.shutdown(cancel_futures=True)
