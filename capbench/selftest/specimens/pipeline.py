"""Defects of the pipeline's modules: one expression is replaced, and the real export runs with it."""

from __future__ import annotations

from capbench.selftest.mutation import Replacement
from capbench.selftest.specimen import register_mutant

__all__: list[str] = []

_EVERYWHERE = ["picture.same", "picture.local", "picture.quality"]
_DISPATCH = "return -(-width // size[0]), -(-height // size[1])"


def _dispatch(new: str) -> Replacement:
    return Replacement("pipeline/gpu/compute_pass.py", _DISPATCH, new)


register_mutant(
    "stride-off-by-4", "layout", "the shader writes rows 4 bytes further apart than they are read",
    Replacement(
        "pipeline/conversion/nv12_layout.py",
        '"nv12_stride_words": layout.stride_bytes // 4,', '"nv12_stride_words": layout.stride_bytes // 4 + 1,',
    ),
    caught_by=_EVERYWHERE,
)  # fmt: skip
register_mutant(
    "padding-left-in", "layout", "rows that a copy padded to 256 bytes are read as if they were tight",
    Replacement(
        "pipeline/conversion/swscale.py",
        "picture = mapped[: self.staging_bytes].reshape(self._height, self._stride)",
        "picture = mapped[: self.readback_bytes].reshape(self._height, self._width * 4)",
    ),
    caught_by=_EVERYWHERE, path="cpu", size=(600, 360),
)  # fmt: skip
register_mutant(
    "chroma-column-offset", "layout", "the chroma plane is copied out one sample too late",
    Replacement(
        "pipeline/conversion/nv12_layout.py",
        "luma, chroma = rows[: self.canvas.height], rows[self.canvas.height :]",
        "luma, chroma = rows[: self.canvas.height], np.roll(rows[self.canvas.height :], 2, axis=1)",
    ),
    caught_by=["colour.siting"], says="right of its place",
)  # fmt: skip
register_mutant(
    "bottom-not-converted", "layout", "the dispatch is rounded down: the last rows stay zero",
    _dispatch("return -(-width // size[0]), height // size[1]"),
    caught_by=["picture.edges"], says="bottom edge", size=(640, 362),
)  # fmt: skip
register_mutant(
    "right-not-converted", "layout", "the dispatch is rounded down: the last columns stay zero",
    _dispatch("return width // size[0], -(-height // size[1])"),
    caught_by=["picture.edges"], says="right edge", size=(600, 360),
)  # fmt: skip
register_mutant(
    "stale-buffer", "frames", "one of three upload buffers never reaches the texture: the frame before is shown again",
    Replacement(
        "pipeline/gpu/upload_ring.py",
        "for target in self._targets:\n            encoder",
        "for target in self._targets if self.number != 2 else ():\n            encoder",
    ),
    caught_by=["frames.repeated"],
)  # fmt: skip
register_mutant(
    "tearing", "frames", "a readback slot is read before its copy is done: below, an older frame is still in it",
    Replacement(
        "pipeline/render/renderer.py",
        "self.path.record(encoder, staging)",
        "self.path.staging_bytes = self._ring.timestamp_offset // (3 if number % 8 == 7 else 1)\n"
        "        self.path.record(encoder, staging)",
    ),
    caught_by=["picture.local", "picture.outliers"],
)  # fmt: skip
register_mutant(
    "last-frames-lost", "frames", "the frames that are in flight at the end of input are never drained",
    Replacement("pipeline/render/renderer.py", "while not self._ring.is_empty:", "while False:"),
    caught_by=["frames.last"],
)  # fmt: skip
register_mutant(
    "first-frame-lost", "frames", "the first frame is dropped while a device warms up",
    Replacement(
        "pipeline/render/renderer.py",
        "if self._ring.is_full:",
        "if number == 0:\n                    continue\n                if self._ring.is_full:",
    ),
    caught_by=["frames.first"],
)  # fmt: skip
register_mutant(
    "zeroed-nv12", "frames", "one frame's commands are never recorded: its buffer is still zero, which is green",
    Replacement(
        "pipeline/render/renderer.py",
        "self.path.record(encoder, staging)", "if number != 2:\n            self.path.record(encoder, staging)",
    ),
    caught_by=["frames.green"],
)  # fmt: skip
