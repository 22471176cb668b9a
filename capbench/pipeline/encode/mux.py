"""Files with packets: opening, writing in decoding order, and completing them."""

from __future__ import annotations

import contextlib
import errno
import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.container import OutputContainer
from av.stream import Stream

from capbench.errors import EncoderError, OutputError
from capbench.units import format_bytes

__all__ = ["EncodedPacket", "OutputFile", "in_decoding_order"]

EncodedPacket: TypeAlias = "av.Packet[Stream]"
"""What an encoder makes: bytes with a time, on their way to a stream of the output."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)
_NOT_WRITABLE = (*_NO_ROOM, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR)


def in_decoding_order(*streams: Iterable[EncodedPacket]) -> Iterator[EncodedPacket]:
    """The packets of all streams by decoding time, those of an earlier stream first where times are equal.

    Waits for the next packet, or the end, of every stream before it yields one: the order follows from the packets
    alone, never from which thread was faster. There is no deadlock, because no stream waits for another's packets.
    """
    return heapq.merge(*streams, key=_decoding_time_s)


def _decoding_time_s(packet: EncodedPacket) -> Fraction:
    assert packet.dts is not None, "encoders stamp what they write"
    return packet.dts * Fraction(packet.time_base)


class OutputFile:
    """A file that is being written. Used on one thread, but for encoders, which fill its streams before that.

    Nothing is on the disk before the first `write`, and no whole file before `complete`.
    """

    def __init__(self, path: Path, container_format: str, **options: str) -> None:
        self._path = path
        with self._writing():
            self._container: OutputContainer = av.open(
                str(path), "w", format=container_format, container_options=options
            )

    def add_video(self, encoder: str, rate: Fraction) -> av.VideoStream:
        """A stream for pictures whose encoder is yet to be set up and opened. Raises `EncoderError`."""
        try:
            stream = self._container.add_stream(encoder, rate=rate)
        except (ValueError, av.FFmpegError) as error:
            raise EncoderError(
                f"unknown encoder {encoder!r}: {error}; capbench doctor lists what works here"
            ) from error
        if not isinstance(stream, av.VideoStream):
            raise EncoderError(f"{encoder} does not encode video; capbench doctor lists what does")
        return stream

    def add_sound(self, encoder: str, rate_hz: int) -> av.AudioStream:
        """A stream for sound whose encoder is yet to be set up."""
        stream = self._container.add_stream(encoder, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        return stream

    def write(self, packet: EncodedPacket) -> None:
        """Write the next packet; the first comes when all encoders are open. Raises `OutputError`."""
        with self._writing():
            self._container.mux(packet)

    @property
    def size_bytes(self) -> int:
        """Bytes on the disk so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    def complete(self) -> None:
        """Close the file, which completes it. Raises `OutputError`."""
        with self._writing():
            self._container.close()

    def abandon(self) -> None:
        """Close the file as it is after a failure. Raises nothing: that failure is the one to report."""
        with contextlib.suppress(OSError, av.FFmpegError):
            self._container.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of the file system into `OutputError`; others pass."""
        try:
            yield
        except OSError as error:
            if isinstance(error, OutputError) or error.errno not in _NOT_WRITABLE:
                raise
            raise OutputError(f"cannot write to {self._path.parent}: {error.strerror}{self._written(error)}") from error

    def _written(self, error: OSError) -> str:
        if error.errno not in _NO_ROOM or not self._path.exists():
            return ""
        return f" after {format_bytes(self.size_bytes)}; free some space or name another folder"
