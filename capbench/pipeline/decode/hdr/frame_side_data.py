"""Data that FFmpeg hangs onto a frame beside its samples."""

from __future__ import annotations

from fractions import Fraction

import av
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

__all__ = ["read_side_data"]

_UNKNOWN_KINDS = range(len(SideDataType), 64)
"""Kinds of side data that FFmpeg may have and PyAV 18.1 has no name for, EXIF among them."""


def read_side_data(frame: av.VideoFrame, *kinds: str) -> dict[str, bytes]:
    """Bytes of side data by kind, as FFmpeg's structures lie in memory; what the frame has not is left out."""
    try:
        data = frame.side_data
        found = {kind: data.get(kind) for kind in kinds}
    except ValueError:
        # PyAV 18.1 reads no side data at all where one kind is unknown to it; FFmpeg takes those out.
        data = _without_unknown_kinds(frame).side_data
        found = {kind: data.get(kind) for kind in kinds}
    return {kind: bytes(content) for kind, content in found.items() if isinstance(content, SideData)}


def _without_unknown_kinds(frame: av.VideoFrame) -> av.VideoFrame:
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    source = last
    for kind in _UNKNOWN_KINDS:
        deletion = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(deletion)
        last = deletion
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(frame)
    known = sink.pull()
    assert isinstance(known, av.VideoFrame)
    return known
