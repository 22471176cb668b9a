"""A hardware decoder for machines without one: it decodes in software, and gives frames as a device does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import av
import numpy as np
import pytest

from capbench.pipeline.decode import choose_decoder, decoder_device, open_source, video
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.results.path_names import SOFTWARE_DECODER

__all__ = ["FakeDevice"]


@dataclass
class FakeDevice:
    """What the device does. `install` puts it in the place of all of this machine's."""

    pixel_format: str = "nv12"
    fails_at: int | None = None
    """Picture that the device cannot decode, counted over each opening of it."""
    luma_error_codes: int = 0
    """Added to the luma of every picture."""
    size: tuple[int, int] | None = None
    """In pixels, instead of the source's."""
    opened: list[str] = field(default_factory=list)
    """Names of the devices that were opened."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace how a container is opened for a device, and the question whether a device decodes."""
        original = decoder_device.open_container

        def open_container(file: str | io.BytesIO, decoder: str = SOFTWARE_DECODER, **arguments: Any) -> Any:
            container = original(file, **arguments)
            if decoder == SOFTWARE_DECODER:
                return container
            self.opened.append(decoder)
            return _Container(container, self)

        monkeypatch.setattr(open_source, "open_container", open_container)
        for module in (choose_decoder, video):
            monkeypatch.setattr(module, "is_on_device", lambda _: True)
        monkeypatch.setattr(choose_decoder, "offered_devices", lambda: ["drm", "vaapi"])

    def frame(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame as the device gives it."""
        width, height = self.size or (frame.width, frame.height)
        given = frame.reformat(width=width, height=height, format=self.pixel_format)
        if self.luma_error_codes:
            luma = plane_samples(given.planes[0])
            luma[:] = np.minimum(luma.astype(int) + self.luma_error_codes, 255)
        return given


class _Container:
    """An open container whose packets are decoded by the device."""

    def __init__(self, container: av.container.InputContainer, device: FakeDevice) -> None:
        self._container = container
        self._device = device
        self._decoded = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def demux(self, stream: av.VideoStream) -> Iterator[_Packet]:
        return (_Packet(packet, self) for packet in self._container.demux(stream))

    def decoded(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        self._decoded += len(frames)
        if self._device.fails_at is not None and self._decoded > self._device.fails_at:
            raise av.error.ExternalError(-542398533, "Generic error in an external library")
        return [self._device.frame(frame) for frame in frames]


class _Packet:
    def __init__(self, packet: av.Packet[av.VideoStream], container: _Container) -> None:
        self._packet = packet
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._packet, name)

    def decode(self) -> list[av.VideoFrame]:
        return self._container.decoded(self._packet.decode())
