"""Planar pictures scaled as codes, chroma staying where it lies beside luma."""

from __future__ import annotations

import av
import av.filter

__all__ = ["SitedScaler"]

_CHROMA_POSITIONS = 256
"""swscale counts the position of a chroma sample in so many parts of a luma sample."""
_KEPT_CODES = {
    "flags": "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp",
    "in_range": "tv",
    "out_range": "tv",
}
"""As `planes.SAME_CODES` has it: the same range in and out."""

_Kind = tuple[str, int, int]
"""Format, width and height of what is scaled."""


class SitedScaler:
    """Scales frames of any size and planar format by FFmpeg's scale filter. Keeps its last graph: it changes.

    Chroma of half the columns that lies on the left one of two does so in the scaled picture as well. What a frame says
    of it does not count: where that is nothing, swscale takes it for centred, and of two files with the same samples
    one would have its chroma elsewhere.
    """

    def __init__(self, chroma_place: tuple[float, float]) -> None:
        """`chroma_place`: how far right of and below the middle of two luma samples chroma lies, in luma samples."""
        self._place = chroma_place
        self._built: tuple[_Kind, tuple[int, int]] | None = None
        self._graph: av.filter.Graph | None = None
        """Of what was scaled last: a file may change its size with every frame."""

    def __call__(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """The frame in that size. It must say nothing of its colours, and not be interlaced."""
        wanted = ((frame.format.name, frame.width, frame.height), (width, height))
        if self._graph is None or wanted != self._built:
            self._graph, self._built = self._build(frame, width, height), wanted
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame, width: int, height: int) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 0  # one a core
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base="1/1000",
        )
        scale = graph.add("scale", w=str(width), h=str(height), **_KEPT_CODES, **self._positions(frame))
        graph.link_nodes(source, scale, graph.add("buffersink")).configure()
        return graph

    def _positions(self, frame: av.VideoFrame) -> dict[str, str]:
        """In the directions in which there is less chroma than luma: elsewhere swscale has no use for them."""
        chroma = frame.format.components[1]
        luma = frame.format.components[0]
        positions: dict[str, str] = {}
        for name, place, is_less in (
            ("h", self._place[0], chroma.width < luma.width),
            ("v", self._place[1], chroma.height < luma.height),
        ):
            if is_less:
                position = str(round((0.5 + place) * _CHROMA_POSITIONS))
                positions |= {f"in_{name}_chr_pos": position, f"out_{name}_chr_pos": position}
        return positions
