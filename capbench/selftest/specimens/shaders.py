"""Defects of the shaders: one expression of a `.wgsl` file is replaced, and the real export runs with it."""

from __future__ import annotations

from capbench.selftest.mutation import Replacement
from capbench.selftest.specimen import register_mutant

__all__: list[str] = []

_SHADOW = """
[background]
colour = "#f2f2f2"

[display]
padding = 0.1

[display.shadow]
opacity = 0.6
blur_px = 90
offset_px = [0, 20]
"""
"""A wide, soft shadow on a light ground."""
_TRANSLUCENT = """
[[caption]]
text = "Half of what is below"
size_px = 130
plate_colour = "#ffe066"
plate_opacity = 0.5
"""
"""A large layer that neither hides nor leaves what is below it."""


def _nv12(old: str, new: str) -> Replacement:
    return Replacement("shaders/shared/nv12.wgsl", old, new)


def _convert(old: str, new: str) -> Replacement:
    return Replacement("shaders/convert.wgsl", old, new)


def _typed_in_matrix(kr: float, kb: float) -> tuple[Replacement, Replacement]:
    """A matrix as a hard-coded table, instead of the requested Kr and Kb."""
    return (
        _nv12(
            "dot(rgb, vec3f(nv12_kr, 1.0 - nv12_kr - nv12_kb, nv12_kb))",
            f"dot(rgb, vec3f({kr}, {1 - kr - kb:.4f}, {kb}))",
        ),
        _nv12(
            "vec2f((rgb.b - luma) * (0.5 / (1.0 - nv12_kb)), (rgb.r - luma) * (0.5 / (1.0 - nv12_kr)))",
            f"vec2f((rgb.b - luma) / {2 * (1 - kb):.4f}, (rgb.r - luma) / {2 * (1 - kr):.4f})",
        ),
    )


_CHROMA_WRITE = "nv12_words[chroma_words + block.y * nv12_stride_words + block.x] ="
_CHROMA_START = "let chroma_words = nv12_height * nv12_stride_words;"

register_mutant(
    name="wrong-matrix",
    family="colour",
    defect="pixels are converted with BT.601 and tagged BT.709",
    replacements=[*_typed_in_matrix(0.299, 0.114)],
    caught_by=["colour.meaning"],
    says="pixels are BT.601 but tagged BT.709",
)
register_mutant(
    name="wrong-matrix-2020",
    family="colour",
    defect="pixels are converted with BT.2020 and tagged BT.709",
    replacements=[*_typed_in_matrix(0.2627, 0.0593)],
    caught_by=["colour.meaning"],
    says="pixels are BT.2020 but tagged BT.709",
)
register_mutant(
    name="wrong-range",
    family="colour",
    defect="pixels use the full range and are tagged limited",
    replacements=[
        _nv12("nv12_luma_offset / 255.0 + (nv12_luma_span / 255.0) * luma", "luma"),
        _nv12("(nv12_chroma_span / 255.0) * chroma", "chroma"),
    ],
    caught_by=["colour.meaning"],
    says="full range tagged limited",
)
_TRUNCATION = (
    _nv12("(nv12_luma_span / 255.0) * luma)", "(nv12_luma_span / 255.0) * luma - 0.5 / 255.0)"),
    _nv12("(nv12_chroma_span / 255.0) * chroma)", "(nv12_chroma_span / 255.0) * chroma - 0.5 / 255.0)"),
)
register_mutant(
    name="truncation",
    family="colour",
    defect="the conversion truncates instead of rounding: white becomes Cr 127",
    replacements=_TRUNCATION,
    caught_by=["colour.bias"],
    says="truncated",
)
register_mutant(
    name="truncation-behind-matrix",
    family="colour",
    defect="the conversion truncates and uses BT.601: the larger error hides the smaller one",
    replacements=[*_typed_in_matrix(0.299, 0.114), *_TRUNCATION],
    caught_by=["colour.bias"],
    says="truncated",
)
register_mutant(
    name="siting",
    family="colour",
    defect="chroma is averaged 2x2, which is centre-sited, and tagged left",
    replacements=[_nv12("if (nv12_centre_sited) {", "if (true) {")],
    caught_by=["colour.siting"],
    says="chroma sited centre, tagged left",
)
register_mutant(
    name="chroma-swapped",
    family="colour",
    defect="Cb and Cr are swapped (NV21 taken for NV12)",
    replacements=[
        _nv12(
            "let chroma = vec4f(chroma_of(first), chroma_of(second));",
            "let chroma = vec4f(chroma_of(first), chroma_of(second)).yxwz;",
        )
    ],
    caught_by=["colour.meaning"],
    says="Cb and Cr swapped",
)
register_mutant(
    name="red-blue-swapped",
    family="colour",
    defect="BGRA is read as RGBA",
    replacements=[_convert("textureLoad(picture, pixel, 0).rgb", "textureLoad(picture, pixel, 0).bgr")],
    caught_by=["colour.meaning"],
    says="red and blue swapped",
)
register_mutant(
    name="gamma",
    family="colour",
    defect="a gamma-encoded texture is encoded again (an sRGB view instead of a plain one)",
    replacements=[
        _convert(
            "return textureLoad(picture, pixel, 0).rgb;",
            "return pow(textureLoad(picture, pixel, 0).rgb, vec3f(1.0 / 2.2));",
        )
    ],
    caught_by=["colour.meaning"],
    says="gamma error",
)
register_mutant(
    name="blended-in-linear-light",
    family="colour",
    defect="a shadow is blended in linear light, where the recorder blends in gamma",
    replacements=[
        Replacement(
            "shaders/shared/background.wgsl",
            "colour = mix(colour, vec3f(0.0), shadow_opacity(position));",
            "colour = pow(mix(pow(colour, vec3f(2.2)), vec3f(0.0), shadow_opacity(position)), vec3f(1.0 / 2.2));",
        )
    ],
    caught_by=["picture.local"],
    scene=_SHADOW,
)
register_mutant(
    name="alpha-premultiplied-twice",
    family="colour",
    defect="a layer's premultiplied colour is multiplied by its alpha again when it is drawn",
    replacements=[
        Replacement(
            "shaders/draw_layers.wgsl",
            "return top + under * (1.0 - top.a);",
            "return vec4f(top.rgb * top.a, top.a) + under * (1.0 - top.a);",
        )
    ],
    caught_by=["picture.layers"],
    says="caption",
    scene=_TRANSLUCENT,
)
register_mutant(
    name="banding",
    family="colour",
    defect="six bits of luma survive",
    replacements=[
        _nv12(
            "return pack4x8unorm(nv12_luma_offset", "return 0x02020202u | 0xfcfcfcfcu & pack4x8unorm(nv12_luma_offset"
        )
    ],
    caught_by=["colour.levels"],
    says="as with 6 bits",
)
register_mutant(
    name="chroma-lost",
    family="colour",
    defect="the chroma plane is neutral throughout",
    replacements=[_nv12("let chroma = vec4f(chroma_of(first), chroma_of(second));", "let chroma = vec4f(0.0);")],
    caught_by=["colour.meaning"],
    says="chroma lost",
)
register_mutant(
    name="u32-at-byte-offsets",
    family="layout",
    defect="chroma is stored as u32 words at byte offsets, four times too far: most of it is never written, and zero "
    "is green",
    replacements=[_nv12(_CHROMA_WRITE, "nv12_words[chroma_words + 4u * (block.y * nv12_stride_words + block.x)] =")],
    caught_by=["frames.green"],
)
register_mutant(
    name="odd-chroma-row",
    family="layout",
    defect="with a height of 362 the last of 181 chroma rows is not written",
    replacements=[_nv12(_CHROMA_START, _CHROMA_START + "\n    if (block.y >= nv12_height / 4u * 2u) { return; }")],
    caught_by=["picture.edges"],
    says="bottom edge",
    size=(640, 362),
)
register_mutant(
    name="chroma-plane-offset",
    family="layout",
    defect="the chroma plane starts one row too late",
    replacements=[_nv12(_CHROMA_START, "let chroma_words = (nv12_height + 1u) * nv12_stride_words;")],
    caught_by=["colour.siting"],
    says="too low",
)
register_mutant(
    name="upside-down",
    family="layout",
    defect="the y axis of the render target points in the wrong direction",
    replacements=[
        _convert(
            "textureLoad(picture, pixel, 0)", "textureLoad(picture, vec2u(pixel.x, nv12_height - 1u - pixel.y), 0)"
        )
    ],
    caught_by=["picture.orientation"],
    says="flipped vertically",
)
register_mutant(
    name="upper-row-twice",
    family="layout",
    defect="both rows of a block show the upper one: half the lines are gone",
    replacements=[
        _nv12("lower[column] = pixel_colour(vec2u(x, top + 1u));", "lower[column] = pixel_colour(vec2u(x, top));")
    ],
    caught_by=["picture.sharpness", "picture.place"],
    path="gpu-fused",
)
