"""The decoder for a source: hardware is used only if it decodes the source's first pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

import av
import numpy as np
from numpy.typing import NDArray

from capbench.errors import ColourError, InputError, SourceError, UnavailableError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.decoder_device import is_on_device, offered_devices
from capbench.pipeline.decode.open_source import open_source, reason_of, video_stream
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.decode.source_colour import PlanarConverter, frame_colour, planar_format
from capbench.results.path_names import ANY_DECODER, DECODERS, HARDWARE_DECODERS, SOFTWARE_DECODER

__all__ = ["DecoderChoice", "check_decoder", "choose_decoder"]

_COMPARED_PICTURES = 4
"""An intra picture and some that are predicted, from both sides in most streams."""
_MOST_PACKETS = 64
"""After which a decoder without a picture counts as one that gives none: H.264 and HEVC hold back 16 pictures at most,
and a field may be a separate packet."""
_EXAMINED_PACKETS = 16
"""Decoded in search of damage: half a second, and less than that to decode at 4K on one core of 2023."""


@dataclass(frozen=True, slots=True)
class DecoderChoice:
    """What decodes the pictures of a source."""

    used: str = SOFTWARE_DECODER
    """`software`, or FFmpeg's name of the device."""
    planar_format: str | None = None
    """Format in which frames are passed on; None for that of software."""
    fallbacks: tuple[str, ...] = ()
    """Why it is not the requested one."""
    warnings: tuple[str, ...] = ()
    """What the user should know about its pictures."""

    @property
    def is_hardware(self) -> bool:
        """Whether a device decodes."""
        return self.used != SOFTWARE_DECODER


def check_decoder(name: str) -> None:
    """Raise `InputError` for a name that is none of `DECODERS`."""
    if name not in DECODERS:
        raise InputError(f"unknown decoder {name!r}; available: {', '.join(DECODERS)}")


def choose_decoder(asked: str, source: SourceInfo, *, salvage: bool = False) -> DecoderChoice:
    """The decoder for a source, tested on its first pictures; software if the requested one does not work.

    `auto` takes hardware only for an undamaged beginning, and only if its pictures equal those of software, code for
    code. Raises `InputError` for an unknown name.
    """
    check_decoder(asked)
    if asked == SOFTWARE_DECODER:
        return DecoderChoice()
    automatic = asked == ANY_DECODER
    if source.hdr is not None:
        return DecoderChoice(fallbacks=(_fallback(asked, "tone mapping takes the depth that software decodes"),))
    if salvage:
        return DecoderChoice(fallbacks=(_fallback(asked, "--salvage needs a decoder that reports damage"),))
    truth = _decode_beginning(source)
    if automatic and truth.damage is not None:
        return DecoderChoice(fallbacks=(_fallback(asked, f"the first packets are damaged: {truth.damage}"),))
    refused = []
    for device in _candidates() if automatic else [asked]:
        trial = _try_device(device, source, truth)
        reason = trial.reason
        if reason is None and automatic and trial.difference_codes:
            reason = f"its pictures differ from software's by up to {trial.difference_codes} codes"
        if reason is None:
            return DecoderChoice(device, trial.planar_format, warnings=_warnings(device, trial, truth))
        refused.append(f"{device}: {reason}" if automatic else reason)
    return DecoderChoice(fallbacks=(_fallback(asked, "; ".join(refused) or "FFmpeg has no hardware decoder here"),))


def _candidates() -> list[str]:
    """Hardware decoders that FFmpeg was built with; listing the others in every report would be noise."""
    offered = offered_devices()
    return [device for device in HARDWARE_DECODERS if device in offered]


def _fallback(asked: str, reason: str) -> str:
    return f"decoder {asked} could not start, used {SOFTWARE_DECODER}: {reason}"


def _warnings(device: str, trial: _Trial, truth: _Beginning) -> tuple[str, ...]:
    found = [
        f"decoder {device} conceals damage inside pictures and does not report it; --decoder {SOFTWARE_DECODER} does"
    ]
    if truth.damage is not None:
        found.append(f"the first packets of the source are damaged: {truth.damage}")
    if trial.difference_codes:
        found.append(
            f"the first pictures of decoder {device} differ from software's by up to {trial.difference_codes} codes"
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Beginning:
    """Result of decoding the first packets of a source."""

    pictures: list[av.VideoFrame] = field(default_factory=list)
    """The first of them that decoded."""
    damage: str | None = None
    """What the decoder reports; None for nothing."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """Result of trying a device."""

    reason: str | None = None
    """Why it cannot take the source."""
    planar_format: str | None = None
    difference_codes: int = 0
    """Largest difference of a sample from software's."""


def _decode_beginning(source: SourceInfo) -> _Beginning:
    """The first packets in software, on one thread, which hides no error. Raises `SourceError`."""
    pictures: list[av.VideoFrame] = []
    damage = None
    with open_source(source.path) as container:
        stream = video_stream(source.path, container)
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        try:
            for number, packet in enumerate(islice(container.demux(stream), _MOST_PACKETS)):
                if number >= _EXAMINED_PACKETS and len(pictures) == _COMPARED_PICTURES:
                    break
                if packet.is_corrupt:
                    damage = damage or "the container marks them as corrupt"
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    damage = damage or reason_of(error)
                    continue
                if any(frame.is_corrupt for frame in frames):
                    damage = damage or "the decoder concealed errors"
                pictures += frames[: _COMPARED_PICTURES - len(pictures)]
        except av.FFmpegError as error:
            damage = damage or reason_of(error)
    return _Beginning(pictures, damage)


def _try_device(device: str, source: SourceInfo, truth: _Beginning) -> _Trial:
    """Decode the first pictures on a device, and compare."""
    try:
        pictures = _device_pictures(device, source, len(truth.pictures))
        if len(pictures) < len(truth.pictures):
            return _Trial(f"it returns {len(pictures)} of the first {len(truth.pictures)} pictures")
        difference = max(
            (_difference_codes(source, mine, its) for mine, its in zip(truth.pictures, pictures, strict=True)),
            default=0,
        )
    except (UnavailableError, SourceError, ColourError) as error:
        return _Trial(str(error))
    except av.FFmpegError as error:
        return _Trial(f"it fails on the first pictures: {reason_of(error)}")
    if not pictures:
        return _Trial("no picture decodes")
    return _Trial(planar_format=planar_format(pictures[0].format.name), difference_codes=difference)


def _device_pictures(device: str, source: SourceInfo, count: int) -> list[av.VideoFrame]:
    """The first `count` pictures. Raises `UnavailableError`, `SourceError`, `av.FFmpegError`."""
    pictures: list[av.VideoFrame] = []
    with open_source(source.path, device) as container:
        stream = video_stream(source.path, container)
        if not is_on_device(stream):
            raise UnavailableError("it does not decode this codec")
        stream.codec_context.thread_count = 1
        for packet in islice(container.demux(stream), _MOST_PACKETS):
            pictures += packet.decode()[: count - len(pictures)]
            if len(pictures) == count:
                break
    return pictures


def _difference_codes(source: SourceInfo, mine: av.VideoFrame, its: av.VideoFrame) -> int:
    """Largest difference of two pictures in 8-bit codes. Raises `UnavailableError` where they cannot be compared."""
    size = (mine.width, mine.height)
    if (its.width, its.height) != size:
        raise UnavailableError(f"its pictures are {its.width}x{its.height} instead of {size[0]}x{size[1]}")
    colour, its_colour = (frame_colour(source.path, frame, source.declared_colour) for frame in (mine, its))
    if its_colour != colour:
        raise UnavailableError(f"its pictures are tagged {its_colour} instead of {colour}")
    planes = planar_format(mine.format.name)
    converter = PlanarConverter()
    pair = (converter.convert(frame, planes, size, colour) for frame in (mine, its))
    first, second = (_samples(frame) for frame in pair)
    return max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in zip(first, second, strict=True))


def _samples(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Samples of the planes; two that are interleaved are as broad as both."""
    interleaved = frame.format.name == "nv12"
    return [plane_samples(plane, 2 if interleaved and number else 1) for number, plane in enumerate(frame.planes)]
