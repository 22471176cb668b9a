"""Opening containers for a decoder: on the CPU, or on a device without a silent fallback to the CPU."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import av
import av.logging
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer

from capbench.errors import UnavailableError
from capbench.results.path_names import SOFTWARE_DECODER

__all__ = ["is_on_device", "offered_devices", "open_container"]


def offered_devices() -> list[str]:
    """FFmpeg's names of the kinds of devices that it was built for, whether or not this machine has one."""
    return hwdevices_available()


def open_container(
    file: str | io.BytesIO,
    decoder: str = SOFTWARE_DECODER,
    *,
    options: Mapping[str, str] | None = None,
    container_format: str | None = None,
) -> InputContainer:
    """Open a container whose pictures are decoded by software, or only by the device of that name.

    Raises what `av.open` does, and `UnavailableError` with the driver's reason where the device does not open or
    decodes no stream of the container. A stream that the device does not take has no `is_on_device`.
    """
    given = dict(options or {})
    if decoder == SOFTWARE_DECODER:
        return av.open(file, "r", format=container_format, options=given)
    # PyAV 18.1 takes a name that it does not know as any device.
    if decoder not in offered_devices():
        raise UnavailableError("not part of this build of FFmpeg")
    device = HWAccel(decoder, allow_software_fallback=False)
    with _first_complaint():
        return av.open(file, "r", format=container_format, options=given, hwaccel=device)


def is_on_device(stream: av.VideoStream) -> bool:
    """Whether a device decodes a stream, rather than the CPU."""
    return bool(stream.codec_context.is_hwaccel)


@contextmanager
def _first_complaint() -> Iterator[None]:
    """Turn errors of a device into `UnavailableError`.

    The error code of a missing driver is "operation not permitted"; only the log names the library.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            yield
    except av.FFmpegError as error:
        # The first complaint is the cause, later ones follow from it.
        reason = log[0][2].strip() if log else error.strerror or str(error)
        raise UnavailableError(reason) from error
    except RuntimeError as error:  # raised by PyAV if no stream has a decoder for that kind of device
        raise UnavailableError("it does not decode this codec") from error
    finally:
        av.logging.set_level(level)
