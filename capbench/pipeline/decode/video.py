"""Frames of a source, as 8-bit planar pictures of one size in presentation order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av
from av.container import InputContainer
from av.stream import Discard

from capbench.colour import ChromaSiting
from capbench.errors import DamagedStreamError, PipelineError, SourceError
from capbench.pipeline.decode.decoder_device import is_on_device
from capbench.pipeline.decode.frame_times import SteadyClock, StrayTimes
from capbench.pipeline.decode.open_source import (
    OpenPart,
    open_parts,
    reason_of,
    tracks_without_decoder,
    video_stream,
)
from capbench.pipeline.decode.presentation import PresentationTimes
from capbench.pipeline.decode.source_colour import (
    DeclaredColour,
    FrameColour,
    PlanarConverter,
    chroma_siting,
    deep_format,
    frame_colour,
    planar_format,
)
from capbench.results.path_names import SOFTWARE_DECODER

__all__ = ["every_picture", "frame_bytes", "read_frames"]


def frame_bytes(frame: av.VideoFrame) -> int:
    """Bytes of a frame's planes, rows padded as the decoder laid them out."""
    return sum(plane.buffer_size for plane in frame.planes)


def read_frames(
    path: Path,
    *,
    warn: Callable[[str], None],
    salvage: bool = False,
    threads: int = 0,
    decoder: str = SOFTWARE_DECODER,
    keeps_depth: bool = False,
) -> Iterator[av.VideoFrame]:
    """Yield each frame of the first video stream in one of the planar formats; PTS rise from frame to frame.

    With `keeps_depth` the formats are those of 10 and 12 bits, and HDR is accepted.

    All have the size, format and time base of the first. Damage raises `DamagedStreamError`; with `salvage`, what
    does not decode is left out and reported with `warn` at the end. 0 leaves the number of `threads` to the decoder. A
    hardware `decoder` that fails raises `PipelineError`: its pictures were passed on already, and it cannot be known
    whether source or device is at fault. The iterator owns the file: close it, or read it to its end.
    """
    clock, layout = SteadyClock(warn), _Layout(path, warn, keeps_depth=keeps_depth)
    tally = _Tally(path, salvage=salvage, threads=threads, decoder=decoder)
    # The first time is the file's start, which sound and scene are timed by.
    strays = StrayTimes[av.VideoFrame](holds_first=False)

    def timed(frames: Iterable[tuple[av.VideoFrame, Fraction]]) -> Iterator[av.VideoFrame]:
        for frame, shift_s in frames:
            clock.apply(frame, shift_s)
            tally.count(frame)
            yield frame

    with closing(open_parts(path, decoder)) as parts:
        for part in parts:
            layout.begin(part.container)
            for decoded in tally.survivors(part):
                yield from timed(strays.checked(layout.apply(decoded), part.shift_s))
        yield from timed(strays.rest())
    if strays.found:
        warn(f"{strays.found} time stamps of the picture of {path} lie far from those around them and are not followed")
    for finding in tally.findings:
        warn(finding)


class _Tally:
    """Counts what decoded and what did not."""

    def __init__(self, path: Path, *, salvage: bool, threads: int, decoder: str) -> None:
        self._path = path
        self._decoder = decoder
        self._threads = threads
        self._salvage = salvage
        self._claimed = 0
        self._good = 0
        self._first_s: Fraction | None = None
        self._last_s = Fraction(0)
        self._concealed = 0
        self._lost_packets = 0
        self._where = ""
        self._unheard = 0
        self._aspect: Fraction | None = None

    def count(self, frame: av.VideoFrame) -> None:
        """Note a frame that decoded."""
        time_s = (frame.pts or 0) * Fraction(frame.time_base or 1)
        self._first_s = time_s if self._first_s is None else self._first_s
        self._good, self._last_s = self._good + 1, time_s - self._first_s

    def survivors(self, part: OpenPart) -> Iterator[av.VideoFrame]:
        """Frames that decode. Raises `DamagedStreamError` unless they are all that is wanted, or `SourceError`."""
        stream = video_stream(self._path, part.container)
        if self._decoder != SOFTWARE_DECODER and not is_on_device(stream):
            self._raise_device_failure(f"it does not decode {stream.codec_context.name}")
        for other in part.container.streams:
            other.discard = Discard.default if other is stream else Discard.all
        self._claimed += stream.frames
        self._unheard = max(self._unheard, tracks_without_decoder(part.container))
        pictures = (
            self._salvaged(part.container, stream)
            if self._salvage
            else every_picture(self._path, part.container, part.reopen, threads=self._threads)
        )
        # What the header says: with many threads the first picture comes when the decoder is far behind it already.
        self._aspect = self._aspect or stream.codec_context.sample_aspect_ratio
        try:
            for frame in pictures:
                self._check_aspect(stream)
                self._concealed += frame.is_corrupt
                yield frame
        except av.FFmpegError as error:  # behind which nothing can be found
            self._lose_or_raise(error)

    def _check_aspect(self, stream: av.VideoStream) -> None:
        """Raise `SourceError` where the codec's pixel aspect is not what it was at the first frame.

        A frame does not carry it, and the decoder may be some frames ahead of those that it gives.
        """
        aspect = stream.codec_context.sample_aspect_ratio
        if aspect and self._aspect and aspect != self._aspect:
            before, after = (f"{ratio.numerator}:{ratio.denominator}" for ratio in (self._aspect, aspect))
            raise SourceError(
                f"the pixel aspect ratio of {self._path} changes from {before} to {after} after frame {self._good}; "
                "cut the recording there and export the parts"
            )
        self._aspect = self._aspect or aspect

    def _salvaged(self, container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        # Frames decoded side by side are lost together at damage; slices of one frame are not.
        stream.thread_type = "SLICE"
        if _has_own_threads(stream):
            stream.codec_context.thread_count = 1
        times = PresentationTimes(container, stream)
        for packet in container.demux(stream):
            times.sent(packet)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._lose_or_raise(error)
                continue
            for frame in frames:
                times.restore(frame)
                if times.is_presented(frame):
                    yield frame

    @property
    def findings(self) -> list[str]:
        """Warnings for the user."""
        return [*self._damage(), *self._silence()]

    def _silence(self) -> list[str]:
        if not self._unheard:
            return []
        return [f"{self._path} has sound tracks that no decoder here supports and that are left out: {self._unheard}"]

    def _damage(self) -> list[str]:
        patched = f", {self._concealed} of them concealed by the decoder" if self._concealed else ""
        if self._lost_packets or patched:
            lost = f"; {self._lost_packets} packets did not" if self._lost_packets else ""
            return [f"{self._path} is damaged{self._where}: {self._good} frames decoded{patched}{lost}"]
        if self._claimed and self._claimed != self._good:
            # An edit list cuts frames off, and a header may be plainly wrong; a file cut short looks no different.
            return [f"the header of {self._path} claims {self._claimed} frames, {self._good} decoded"]
        return []

    def _raise_device_failure(self, reason: str, cause: Exception | None = None) -> NoReturn:
        raise PipelineError(
            f"decoder {self._decoder} failed at frame {self._good} of {self._path}: {reason}; export with --decoder "
            "software, to tell a damaged source from a device fault",
            stage="decode",
            frame=self._good,
        ) from cause

    def _lose_or_raise(self, error: av.FFmpegError) -> None:
        if self._decoder != SOFTWARE_DECODER:
            self._raise_device_failure(reason_of(error), error)
        if not self._salvage:
            raise DamagedStreamError(
                f"{self._path} is damaged: {self._good} frames decode, up to {float(self._last_s):.3f} s; then "
                f"{reason_of(error)}; pass --salvage to export what decodes",
                good_frames=self._good,
                good_until_s=float(self._last_s),
            ) from error
        if not self._lost_packets:
            self._where = f" from frame {self._good} on, {float(self._last_s):.3f} s in"
        self._lost_packets += 1


class _Layout:
    """Converts every frame to the format and size of the first, and checks that it has the same colour."""

    def __init__(self, path: Path, warn: Callable[[str], None], *, keeps_depth: bool) -> None:
        self._path = path
        self._warn = warn
        self._keeps_depth = keeps_depth
        self._converter = PlanarConverter()
        self._format: str | None = None
        self._size = (0, 0)
        self._rescaled = False
        self._colour: FrameColour | None = None
        self._tags: tuple[object, ...] = ()
        self._declared = DeclaredColour()
        self._siting = ChromaSiting.LEFT
        self._frames = 0

    def begin(self, container: InputContainer) -> None:
        """Frames of `container`, of which none is decoded yet, come next. Raises `SourceError` without video."""
        stream = video_stream(self._path, container)
        self._declared = DeclaredColour.of(stream)
        self._siting = chroma_siting(self._path, stream.codec_context.name, stream.codec_context.extradata or b"")
        self._tags = ()

    def apply(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame itself, or a converted one. Raises `SourceError` where shape or colour differ from the first's."""
        size = (frame.width, frame.height)
        if self._format is None:
            name = frame.format.name
            self._format, self._size = deep_format(name)[0] if self._keeps_depth else planar_format(name), size
        colour = self._checked_colour(frame)
        self._frames += 1
        if size != self._size:
            self._accept(size)
        # The j formats are the same planes under another name.
        if size == self._size and frame.format.name.replace("yuvj", "yuv") == self._format:
            return frame
        return self._converter.convert(frame, self._format, self._size, colour, self._siting)

    def _checked_colour(self, frame: av.VideoFrame) -> FrameColour:
        tags = (frame.format.name, frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries)
        if self._colour is not None and tags == self._tags:
            return self._colour
        colour = frame_colour(self._path, frame, self._declared, accepts_hdr=self._keeps_depth)
        if self._colour is None:
            self._colour = colour
        elif not colour.reads_like(self._colour):
            raise SourceError(
                f"the colour of {self._path} changes at frame {self._frames} from {self._colour} to {colour}; "
                "cut the recording there and export the parts"
            )
        self._tags = tags
        return self._colour

    def _accept(self, size: tuple[int, int]) -> None:
        (width, height), (first_width, first_height) = size, self._size
        change = f"the picture of {self._path} changes from {first_width}x{first_height} to {width}x{height}"
        if abs(width * first_height - height * first_width) > max(first_width, first_height):
            raise SourceError(f"{change}, which is another shape; cut the recording there and export the parts")
        if not self._rescaled:
            self._warn(f"{change}; it is scaled to the first size")
            self._rescaled = True


class _Ledger:
    """Keeps track of pictures still to come, by the times of their packets, and by number where they state none."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._hides_errors = _has_own_threads(stream)
        self._outstanding: set[int] = set()
        self._untimed = 0
        self._last_sent: int | None = None
        self._last_shown: int | None = None

    def sent(self, time: int | None) -> None:
        """Note the time of a packet that holds a picture to be shown; None where it states none."""
        if time is None:
            self._untimed += 1
            return
        self._last_sent = time if self._last_sent is None else max(self._last_sent, time)
        if self._hides_errors:
            self._outstanding.add(time)

    def shown(self, time: int | None) -> None:
        """Note the time of a picture that came out; None as in `sent`."""
        if time is None:
            self._untimed -= 1
            return
        self._last_shown = time
        self._outstanding.discard(time)

    def doubtful_from(self) -> tuple[bool, int | None]:
        """Whether pictures are missing, and a time at or before the first of them; None for the very beginning."""
        if self._outstanding:
            return True, min(self._outstanding)
        if self._untimed > 0:  # FFmpeg's own threads hide errors at the end alone
            return True, None if self._hides_errors else self._last_shown
        is_late = self._last_sent is not None and (self._last_shown is None or self._last_shown < self._last_sent)
        return is_late, self._last_shown


def _has_own_threads(stream: av.VideoStream) -> bool:
    """Whether the decoder is a library's (libdav1d, libvpx, libaom): `thread_type` does not control its threads."""
    return stream.codec_context.name.startswith("lib")


def every_picture(
    path: Path, container: InputContainer, reopen: Callable[[], InputContainer], *, threads: int = 0
) -> Iterator[av.VideoFrame]:
    """Yield each frame of the first video stream of `container`, at the time when it is shown; the first error ends it.

    Frame threads hand out a picture as many packets late as there are threads. What the last packets hold, errors
    included, comes in one go at the end, and there PyAV 18.1 drops an error that follows a picture, and with it all
    pictures behind: the more cores, the more damage goes unseen. A library's threads hand out errors late anywhere.
    So where a picture is missing, its part is decoded again on one thread, from a container that `reopen` opens.

    Raises `av.FFmpegError` at damage, and `SourceError` where there is no video.
    """
    stream = video_stream(path, container)
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    times, ledger = PresentationTimes(container, stream), _Ledger(stream)
    for packet in container.demux(stream):
        time = times.sent(packet)
        # An edit list marks what must be decoded and not be shown.
        if not packet.is_discard and packet.size:
            ledger.sent(time)
        for frame in packet.decode():
            times.restore(frame)
            ledger.shown(frame.pts)
            if times.is_presented(frame):
                yield frame
    is_doubtful, from_pts = ledger.doubtful_from()
    if is_doubtful:
        _decode_again(path, reopen, from_pts)


def _decode_again(path: Path, reopen: Callable[[], InputContainer], from_pts: int | None) -> None:
    """Decode from the key frame before `from_pts` on one thread, which hides no error. Raises `av.FFmpegError`.

    FFmpeg's demuxer of playlists has no index of key frames: it leaves out everything up to the first one behind the
    time that is asked for. What was not begun early enough is decoded from its start.
    """
    if from_pts is not None:
        with reopen() as container:
            container.seek(from_pts, stream=video_stream(path, container))
            first = _decode_on_one_thread(path, container)
        if first is not None and first <= from_pts:
            return
    with reopen() as container:
        _decode_on_one_thread(path, container)


def _decode_on_one_thread(path: Path, container: InputContainer) -> int | None:
    """The time of the first packet, in order of decoding. Raises `av.FFmpegError`."""
    stream = video_stream(path, container)
    stream.thread_type = "SLICE"
    stream.codec_context.thread_count = 1
    first = None
    for packet in container.demux(stream):
        if first is None:
            first = packet.dts if packet.pts is None else packet.pts
        packet.decode()
    return first
