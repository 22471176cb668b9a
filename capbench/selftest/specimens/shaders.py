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
    """A matrix as a table of numbers that somebody copied, instead of the Kr and Kb that were asked for."""
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
    "wrong-matrix", "colour", "pixels are converted with BT.601 and tagged BT.709",
    *_typed_in_matrix(0.299, 0.114), caught_by=["colour.meaning"], says="pixels are BT.601 but tagged BT.709",
)  # fmt: skip
register_mutant(
    "wrong-matrix-2020", "colour", "pixels are converted with BT.2020 and tagged BT.709",
    *_typed_in_matrix(0.2627, 0.0593), caught_by=["colour.meaning"], says="pixels are BT.2020 but tagged BT.709",
)  # fmt: skip
register_mutant(
    "wrong-range", "colour", "pixels use the full range and are tagged limited",
    _nv12("nv12_luma_offset / 255.0 + (nv12_luma_span / 255.0) * luma", "luma"),
    _nv12("(nv12_chroma_span / 255.0) * chroma", "chroma"),
    caught_by=["colour.meaning"], says="full range tagged limited",
)  # fmt: skip
register_mutant(
    "truncation", "colour", "the conversion truncates instead of rounding: white becomes Cr 127",
    _nv12("(nv12_luma_span / 255.0) * luma)", "(nv12_luma_span / 255.0) * luma - 0.5 / 255.0)"),
    _nv12("(nv12_chroma_span / 255.0) * chroma)", "(nv12_chroma_span / 255.0) * chroma - 0.5 / 255.0)"),
    caught_by=["colour.bias"], says="truncated",
)  # fmt: skip
register_mutant(
    "siting", "colour", "chroma is averaged 2x2, which is centre-sited, and tagged left",
    _nv12("if (nv12_centre_sited) {", "if (true) {"),
    caught_by=["colour.siting"], says="chroma sited centre, tagged left",
)  # fmt: skip
register_mutant(
    "chroma-swapped", "colour", "Cb and Cr are exchanged (NV21 taken for NV12)",
    _nv12("let chroma = vec4f(chroma_of(first), chroma_of(second));",
          "let chroma = vec4f(chroma_of(first), chroma_of(second)).yxwz;"),
    caught_by=["colour.meaning"], says="Cb and Cr swapped",
)  # fmt: skip
register_mutant(
    "red-blue-swapped", "colour", "BGRA is read as RGBA",
    _convert("textureLoad(picture, pixel, 0).rgb", "textureLoad(picture, pixel, 0).bgr"),
    caught_by=["colour.meaning"], says="red and blue swapped",
)  # fmt: skip
register_mutant(
    "gamma", "colour", "a gamma-encoded texture is encoded once more (an sRGB view where a plain one belongs)",
    _convert(
        "return textureLoad(picture, pixel, 0).rgb;",
        "return pow(textureLoad(picture, pixel, 0).rgb, vec3f(1.0 / 2.2));",
    ),
    caught_by=["colour.meaning"], says="gamma error",
)  # fmt: skip
register_mutant(
    "blended-in-linear-light", "colour", "a shadow is blended in linear light, where the recorder blends in gamma",
    Replacement(
        "shaders/shared/background.wgsl",
        "colour = mix(colour, vec3f(0.0), shadow_opacity(position));",
        "colour = pow(mix(pow(colour, vec3f(2.2)), vec3f(0.0), shadow_opacity(position)), vec3f(1.0 / 2.2));",
    ),
    caught_by=["picture.local"], scene=_SHADOW,
)  # fmt: skip
register_mutant(
    "alpha-premultiplied-twice", "colour", "a layer's colour is multiplied by its alpha once more when it is drawn",
    Replacement(
        "shaders/draw_layers.wgsl",
        "return top + under * (1.0 - top.a);",
        "return vec4f(top.rgb * top.a, top.a) + under * (1.0 - top.a);",
    ),
    caught_by=["picture.layers"], says="caption", scene=_TRANSLUCENT,
)  # fmt: skip
register_mutant(
    "banding", "colour", "six bits of luma survive",
    _nv12("return pack4x8unorm(nv12_luma_offset", "return 0x02020202u | 0xfcfcfcfcu & pack4x8unorm(nv12_luma_offset"),
    caught_by=["colour.levels"], says="6 bits are left",
)  # fmt: skip
register_mutant(
    "chroma-lost", "colour", "the chroma plane is neutral throughout",
    _nv12("let chroma = vec4f(chroma_of(first), chroma_of(second));", "let chroma = vec4f(0.0);"),
    caught_by=["colour.meaning"], says="chroma lost",
)  # fmt: skip
register_mutant(
    "u32-at-byte-offsets", "layout",
    "chroma is stored as u32 words at byte offsets, four times too far: most of it is never written, and zero is green",
    _nv12(_CHROMA_WRITE, "nv12_words[chroma_words + 4u * (block.y * nv12_stride_words + block.x)] ="),
    caught_by=["frames.green"],
)  # fmt: skip
register_mutant(
    "odd-chroma-row", "layout", "with a height of 362 the last of 181 chroma rows is not written",
    _nv12(_CHROMA_START, _CHROMA_START + "\n    if (block.y >= nv12_height / 4u * 2u) { return; }"),
    caught_by=["picture.edges"], says="bottom edge", size=(640, 362),
)  # fmt: skip
register_mutant(
    "chroma-plane-offset", "layout", "the chroma plane starts one row too late",
    _nv12(_CHROMA_START, "let chroma_words = (nv12_height + 1u) * nv12_stride_words;"),
    caught_by=["colour.siting"], says="below its place",
)  # fmt: skip
register_mutant(
    "upside-down", "layout", "the y axis of the render target points the other way",
    _convert("textureLoad(picture, pixel, 0)", "textureLoad(picture, vec2u(pixel.x, nv12_height - 1u - pixel.y), 0)"),
    caught_by=["picture.orientation"], says="upside down",
)  # fmt: skip
register_mutant(
    "upper-row-twice", "layout", "both rows of a block show the upper one: half the lines are gone",
    _nv12("lower[column] = pixel_colour(vec2u(x, top + 1u));", "lower[column] = pixel_colour(vec2u(x, top));"),
    caught_by=["picture.sharpness", "picture.place"], path="gpu-fused",
)  # fmt: skip
