"""Clips of a few frames, decoded by every kind of device that FFmpeg knows: naming one proves nothing."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import islice

import av
import numpy as np

from capbench.doctor.findings import DecoderFinding
from capbench.errors import UnavailableError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.decoder_device import is_on_device, offered_devices, open_container
from capbench.pipeline.decode.open_source import reason_of
from capbench.results.path_names import HARDWARE_DECODERS, SOFTWARE_DECODER

__all__ = ["try_decoders"]

_CODECS = {"H.264": "libx264", "HEVC": "libx265"}
"""Codec to what encodes it here."""
_SIZE = (256, 256)
"""Above the smallest picture of every device: NVDEC takes none of less than 144 pixels in HEVC."""
_FRAMES = 8
_PACKETS = 32
"""More than the clip has, if a decoder were never to end."""


def try_decoders() -> tuple[DecoderFinding, ...]:
    """What each hardware decoder makes of H.264 and HEVC: those of `--decoder` first, then what else FFmpeg offers.

    What does not work is a finding and raises nothing.
    """
    offered = offered_devices()
    others = [name for name in offered if name not in HARDWARE_DECODERS]
    findings = []
    for codec, encoder in _CODECS.items():
        try:
            clip = _clip(encoder)
            wanted = _lumas(clip, SOFTWARE_DECODER)
        except (av.FFmpegError, ValueError) as error:
            reason = f"no {codec} to try it with: {reason_of(error)}"
            findings += [_finding(name, codec, reason) for name in (*HARDWARE_DECODERS, *others)]
            continue
        findings += [_finding(name, codec, _why_not(name, clip, wanted)) for name in HARDWARE_DECODERS]
        for name in others:
            reason = _why_not(name, clip, wanted) or f"it works, but --decoder {name} is not supported"
            findings.append(_finding(name, codec, reason))
    return tuple(findings)


def _finding(name: str, codec: str, reason: str | None) -> DecoderFinding:
    return DecoderFinding(name=name, codec=codec, works=reason is None, reason=reason)


def _why_not(device: str, clip: bytes, wanted: list[bytes]) -> str | None:
    try:
        lumas = _lumas(clip, device)
    except UnavailableError as error:
        return str(error)
    except av.FFmpegError as error:
        return f"it opens but fails: {reason_of(error)}"
    if len(lumas) != len(wanted):
        return f"it returns {len(lumas)} of {len(wanted)} pictures"
    return None if lumas == wanted else "its pictures differ from software's"


def _lumas(clip: bytes, decoder: str) -> list[bytes]:
    """Luma of every picture. Raises `UnavailableError`, `av.FFmpegError`."""
    with open_container(io.BytesIO(clip), decoder) as container:
        stream = container.streams.video[0]
        if decoder != SOFTWARE_DECODER and not is_on_device(stream):
            raise UnavailableError("it does not decode this codec")
        packets = islice(container.demux(stream), _PACKETS)
        return [plane_samples(frame.planes[0]).tobytes() for packet in packets for frame in packet.decode()]


def _clip(encoder: str) -> bytes:
    """A grey ramp that moves. Raises `av.FFmpegError`, `ValueError`."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(encoder, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *_SIZE, "yuv420p"
        stream.codec_context.options = {"x265-params": "log-level=error"} if encoder == "libx265" else {}
        ramp = np.arange(_SIZE[0], dtype=np.uint8)
        for number in range(_FRAMES):
            frame = av.VideoFrame(*_SIZE, "yuv420p")
            for plane, samples in zip(
                frame.planes, (np.roll(ramp, 4 * number), np.uint8(128), np.uint8(128)), strict=True
            ):
                plane_samples(plane)[:] = samples
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
