"""The upload thread: fills the slots of whichever device draws, ahead of the thread that submits."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from capbench.errors import PipelineError, StallError
from capbench.pipeline.gpu.device import GpuContext, is_device_loss, working_for
from capbench.pipeline.gpu.upload_ring import PlaneUploader, UploadSlot
from capbench.pipeline.render.replay import UndeliveredFrames
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.stage_timer import StageTimer

__all__ = ["UploadSession", "UploadStage", "UploadedFrame"]


@dataclass(frozen=True, slots=True, eq=False)
class UploadedFrame:
    """A frame whose samples lie in an upload slot. The decoder's own frame is not needed to draw it."""

    slot: UploadSlot
    pts: int
    """In units of the output's time base, as `duration`."""
    duration: int


class UploadSession:
    """The upload slots of one device on their way round: free, filled, submitted, free.

    The upload thread takes free slots and sends filled ones, the render thread the other way round. Either may end it
    early, when the device is lost: then both are woken, and the next session begins with what was not delivered.
    """

    def __init__(self, gpu: GpuContext, uploader: PlaneUploader, group: StageGroup, *, first: int) -> None:
        """`first` is the index of the first frame that this device draws."""
        self.gpu = gpu
        self._slot_bytes = uploader.slot_bytes
        count = len(uploader.slots)
        self._free: Channel[UploadSlot] = group.channel(
            "render", "upload", max_frames=count, max_bytes=uploader.ring_bytes, carries_frames=False
        )
        self._filled: Channel[UploadedFrame] = group.channel(
            "upload",
            "render",
            max_frames=count,
            max_bytes=uploader.ring_bytes,
            numbers_producer=False,
            first_frame=first,
        )
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        for slot in uploader.slots:
            self._free.send(slot, self._slot_bytes)

    @property
    def is_over(self) -> bool:
        """Whether it was ended early."""
        return self._failure is not None

    def end(self, failure: Exception) -> None:
        """End it because of `failure`; the first one counts."""
        with self._lock:
            self._failure = self._failure or failure
        for channel in (self._free, self._filled):
            channel.stop(failure)

    @contextlib.contextmanager
    def ending_with_the_device(self) -> Iterator[None]:
        """End the session with what the block raises because the device is lost or stalls."""
        try:
            yield
        except Exception as error:
            if isinstance(error, StallError) or is_device_loss(self.gpu, error):
                self.end(error)
            raise

    def free_slot(self) -> UploadSlot:
        """The next slot to fill. Raises as `Channel.receive`."""
        slot = self._free.receive()
        assert slot is not None, "nobody closes the channel of free slots"
        return slot

    def send(self, frame: UploadedFrame) -> None:
        """Pass a filled slot on."""
        self._filled.send(frame, self._slot_bytes)

    def close(self) -> None:
        """Say that every frame was sent."""
        self._filled.close()

    def __iter__(self) -> Iterator[UploadedFrame]:
        """Uploaded frames in order, on the render thread. Raises what ended the session on the upload thread."""
        with self._failures_as_they_were():
            yield from self._filled

    def give_back(self, slot: UploadSlot) -> None:
        """Let a slot be filled again, once its commands were submitted. Raises as iterating does."""
        with self._failures_as_they_were():
            self._free.send(slot, self._slot_bytes)

    @contextlib.contextmanager
    def _failures_as_they_were(self) -> Iterator[None]:
        try:
            yield
        except PipelineError:
            if self._failure is None:
                raise  # the whole export was stopped, or the upload thread stalled
            raise self._failure from None


class UploadStage:
    """Everything between decoded frames and filled upload slots, over all devices of a pass."""

    def __init__(self, frames: UndeliveredFrames, sessions: Channel[UploadSession]) -> None:
        """`sessions` brings one for each device that draws, and is closed when all is drawn."""
        self._frames = frames
        self._sessions = sessions

    def run(self, clock: StageTimer) -> None:
        """Fill slots until no device wants any more."""
        # A device is waited for once; that says nothing about the pace of uploading.
        waits_as: Literal["setup", "upload"] = "setup"
        for session in self._sessions:
            clock.mark(waits_as, "wait_output")
            waits_as = "upload"
            with working_for(session.gpu):
                try:
                    self._fill_all(session, clock)
                except Exception:
                    # The render thread handles a lost device and announces the next one.
                    if not session.is_over:
                        raise
        clock.mark(waits_as, "wait_output")

    def _fill_all(self, session: UploadSession, clock: StageTimer) -> None:
        frames = iter(self._frames)
        for number in itertools.count():
            # Before a frame is taken: one that waited here would be kept in vain.
            slot = session.free_slot()
            with session.ending_with_the_device():
                slot.wait()
            clock.mark("upload", "wait_output", number)
            if (timed := next(frames, None)) is None:
                break
            clock.mark("upload", "wait_input", number)
            with session.ending_with_the_device():
                slot.fill(timed.frame)
            clock.mark("upload", "work", number)
            session.send(UploadedFrame(slot, timed.pts, timed.duration))
        session.close()
        clock.mark("upload", "wait_input")
