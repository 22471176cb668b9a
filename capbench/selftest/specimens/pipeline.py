"""Defects of the pipeline's modules: one expression is replaced, and the real export runs with it."""

from __future__ import annotations

from capbench.selftest.mutation import Replacement
from capbench.selftest.specimen import register_mutant

__all__: list[str] = []

_FADING_CAPTION = """
[[caption]]
text = "Slowly there"
size_px = 130
plate_colour = "#ffe066"
plate_opacity = 1
fade_s = 0.6
"""
"""A large layer that is seen half, a third and a quarter."""
_BLURRED = """
[display]
padding = 0.08
rounding_px = 24

[[zoom]]
start_s = 0.2
end_s = 1.4
amount = 2.4
centre = [0.3, 0.4]
ease_in_s = 0.5
ease_out_s = 0.5

[cursor]
path = [[0.0, 0.2, 0.2], [0.7, 0.8, 0.6]]
size_px = 120

[motion_blur]
"""
"""A fast zoom and a fast cursor."""
_EVERYWHERE = ["picture.same", "picture.local", "picture.quality"]
_DISPATCH = "return -(-width // size[0]), -(-height // size[1])"


def _dispatch(new: str) -> Replacement:
    return Replacement("pipeline/gpu/compute_pass.py", _DISPATCH, new)


register_mutant(
    name="stride-off-by-4",
    family="layout",
    defect="the shader writes rows 4 bytes further apart than they are read",
    replacements=[
        Replacement(
            "pipeline/conversion/nv12_layout.py",
            '"nv12_stride_words": layout.stride_bytes // 4,',
            '"nv12_stride_words": layout.stride_bytes // 4 + 1,',
        )
    ],
    caught_by=_EVERYWHERE,
)
register_mutant(
    name="padding-left-in",
    family="layout",
    defect="rows that a copy padded to 256 bytes are read as if they were not padded",
    replacements=[
        Replacement(
            "pipeline/conversion/swscale.py",
            "picture = mapped[: self.staging_bytes].reshape(self._height, self._stride)",
            "picture = mapped[: self.readback_bytes].reshape(self._height, self._width * 4)",
        )
    ],
    caught_by=_EVERYWHERE,
    path="cpu",
    size=(600, 360),
)
register_mutant(
    name="chroma-column-offset",
    family="layout",
    defect="the chroma plane is copied with an offset of one sample",
    replacements=[
        Replacement(
            "pipeline/conversion/nv12_layout.py",
            "luma, chroma = rows[: self.canvas.height], rows[self.canvas.height :]",
            "luma, chroma = rows[: self.canvas.height], np.roll(rows[self.canvas.height :], 2, axis=1)",
        )
    ],
    caught_by=["colour.siting"],
    says="too far right",
)
register_mutant(
    name="bottom-not-converted",
    family="layout",
    defect="the dispatch is rounded down: the last rows stay zero",
    replacements=[_dispatch("return -(-width // size[0]), height // size[1]")],
    caught_by=["picture.edges"],
    says="bottom edge",
    size=(640, 362),
)
register_mutant(
    name="right-not-converted",
    family="layout",
    defect="the dispatch is rounded down: the last columns stay zero",
    replacements=[_dispatch("return width // size[0], -(-height // size[1])")],
    caught_by=["picture.edges"],
    says="right edge",
    size=(600, 360),
)
register_mutant(
    name="stale-buffer",
    family="frames",
    defect="one of three upload buffers never reaches the texture: the frame before is shown again",
    replacements=[
        Replacement(
            "pipeline/gpu/upload_ring.py",
            "for target in self._targets:\n            encoder",
            "for target in self._targets if self.number != 2 else ():\n            encoder",
        )
    ],
    caught_by=["frames.repeated"],
)
register_mutant(
    name="tearing",
    family="frames",
    defect="a readback slot is read before its copy is done: below, an older frame is still in it",
    replacements=[
        Replacement(
            "pipeline/render/renderer.py",
            "self.path.record(encoder, staging)",
            "self.path.staging_bytes = self._ring.timestamp_offset // (3 if number % 8 == 7 else 1)\n"
            "        self.path.record(encoder, staging)",
        )
    ],
    caught_by=["picture.local", "picture.outliers"],
)
register_mutant(
    name="last-frames-lost",
    family="frames",
    defect="the frames that are in flight at the end of input are never drained",
    replacements=[Replacement("pipeline/render/renderer.py", "while not self._ring.is_empty:", "while False:")],
    caught_by=["frames.last"],
)
register_mutant(
    name="first-frame-lost",
    family="frames",
    defect="the first frame is dropped while a device warms up",
    replacements=[
        Replacement(
            "pipeline/render/renderer.py",
            "if self._ring.is_full:",
            "if number == 0:\n                    continue\n                if self._ring.is_full:",
        )
    ],
    caught_by=["frames.first"],
)
register_mutant(
    name="zeroed-nv12",
    family="frames",
    defect="one frame's commands are never recorded: its buffer is still zero, which is green",
    replacements=[
        Replacement(
            "pipeline/render/renderer.py",
            "self.path.record(encoder, staging)",
            "if number != 2:\n            self.path.record(encoder, staging)",
        )
    ],
    caught_by=["frames.green"],
)
register_mutant(
    name="fade-too-slow",
    family="frames",
    defect="layers take twice as long to appear, by arithmetic that exporter and oracle could share",
    replacements=[
        Replacement(
            "pipeline/scene/scene_values.py",
            "arrived = (time_s - self.start_s) / self.fade_s",
            "arrived = (time_s - self.start_s) / (2 * self.fade_s)",
        )
    ],
    caught_by=["picture.layers"],
    says="caption",
    scene=_FADING_CAPTION,
    judged_by_mutant=True,
)


def _exposure(old: str, new: str) -> Replacement:
    return Replacement("pipeline/compositor/exposure.py", old, new)


register_mutant(
    name="motion-blur-missing",
    family="frames",
    defect="zoom and cursor are as sharp in motion as at rest, where motion blur was asked for",
    replacements=[_exposure("return moments if _something_moves(scene, moments) else (still,)", "return (still,)")],
    caught_by=["picture.layers"],
    says="motion blur is missing",
    path="gpu-fused",
    scene=_BLURRED,
)
register_mutant(
    name="shutter-twice-as-long",
    family="frames",
    defect="the shutter is open for twice the angle that was asked for",
    replacements=[_exposure("blur.shutter_degrees / 360", "blur.shutter_degrees / 180")],
    caught_by=["picture.layers"],
    says="motion blur is at",
    scene=_BLURRED,
)
register_mutant(
    name="shutter-after-the-frame",
    family="frames",
    defect="the shutter opens at the frame's time instead of around it: what moves is late by a quarter of a frame",
    replacements=[_exposure("((number + 0.5) / blur.samples - 0.5)", "((number + 0.5) / blur.samples)")],
    caught_by=["picture.layers", "picture.place", "picture.local"],
    scene=_BLURRED,
)
register_mutant(
    name="blurred-in-linear-light",
    family="colour",
    defect="the moments of a motion are averaged in linear light, where the recorder blends in gamma",
    replacements=[
        Replacement(
            "shaders/shared/scene.wgsl",
            "sum += share * recording_colour(there * scene.fraction_from_px.xy + scene.fraction_from_px.zw);",
            "sum += share * pow(recording_colour(there * scene.fraction_from_px.xy + scene.fraction_from_px.zw), "
            "vec3f(2.2));",
        ),
        Replacement(
            "shaders/shared/scene.wgsl",
            "return sum / max(total, 1e-6);",
            "return pow(sum / max(total, 1e-6), vec3f(1.0 / 2.2));",
        ),
    ],
    caught_by=["picture.layers", "picture.local", "colour.meaning", "picture.quality"],
    scene=_BLURRED,
)
