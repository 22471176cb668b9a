"""The first device of an export, opened while libraries load and its source is probed. Loads neither of them itself."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from capbench.pipeline.gpu.device import GpuContext, open_device

__all__ = ["FirstDevice"]


class FirstDevice:
    """Opens a device on its own thread from now on: an adapter and a device take a second with some drivers.

    Use as a context manager: a device that was not taken is closed at its end.
    """

    def __init__(self) -> None:
        self._device: GpuContext | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._is_started = False

    def start(self) -> None:
        """Begin to open it, once."""
        if self._is_started:
            return
        self._is_started = True
        self._thread = threading.Thread(target=self._open, name="capbench-device", daemon=True)
        self._thread.start()

    def take(self) -> GpuContext | None:
        """The device, once: what it needs besides is its new owner's. None where none was started, or it was taken.

        Waits until it is open. Raises what `open_device` raises.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return None
        thread.join()
        failure, device = self._failure, self._device
        self._failure = self._device = None
        if failure is not None:
            raise failure
        return device

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close what was not taken. Waits for it: a driver must not be left in the middle of a call at the exit."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._device is not None:
            self._device.close()

    def _open(self) -> None:
        try:
            self._device = open_device()
        except BaseException as failure:  # noqa: BLE001  raised where the device is taken
            self._failure = failure
