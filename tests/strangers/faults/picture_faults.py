"""Colours and geometry that are not as they were."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.strangers.container_colours import matrix_number
from tests.strangers.faults.fault_tools import (
    COLOUR_CHECKS,
    PICTURE_CHECKS,
    PLAIN_SCALE,
    Base,
    Fault,
    Maker,
    coloured,
    detailed,
    eight_bits_limited,
    graded,
    has_chroma,
    lopsided,
    picture_filter,
    seen,
    square_again,
    tagged,
    without_detail,
)
from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import ToolError, run_tool

__all__ = ["PICTURE_FAULTS"]

_LEAST_EDGES, _LEAST_OF_BOTH = 0.8, 0.5
"""How much more chroma has to change to the next column than coding is off, of the plane that shows more where it is
moved by a quarter of a sample, and of each where one is moved by a sample beside the other."""
_OF_ONE_MATRIX: Final = {"vp8", "mjpeg"}
"""Codecs whose streams cannot state a matrix, because their standards know one."""


_MEAN_CODES: Final = 1.6
"""By how much a picture's colours must be off: black has no gamma."""


def _rotated(base: Base, degrees: float, path: Path) -> None:
    turn = ("-metadata:s:v:0", f"rotate={int(degrees)}")
    run_tool(["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy", *turn, path])


def _full_chroma(base: Base) -> str:
    return re.sub("4[0-4][0-4]p", "444p", base.output.pixel_format)


def _bitstream(h264: str, hevc: str) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        text = f"h264_metadata={h264}" if base.output.codec == "h264" else f"hevc_metadata={hevc}"
        copied = ("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy")
        run_tool([*copied, "-bsf:v", text.format(strength=int(strength)), path])

    return make


def _container_matrix(base: Base, _: float, path: Path) -> None:
    """The colr box of the finished file says BT.601, the bitstream keeps what it said."""
    data = bytearray(base.output.path.read_bytes())
    at = data.find(b"colrnclx")
    if at < 0:
        message = "no colr box"
        raise ToolError(message)
    data[at + 8 : at + 14] = bytes((0, 6, 0, 6, 0, 6))
    path.write_bytes(data)


def _untagged(base: Base, strength: float, path: Path) -> None:
    """No colours in the bitstream, nor in the colr box that FFmpeg writes of what the bitstream said before."""
    unstated = ":".join(
        f"{name}={{strength}}" for name in ("colour_primaries", "transfer_characteristics", "matrix_coefficients")
    )
    _bitstream(unstated, unstated)(base, strength, path)
    data = bytearray(path.read_bytes())
    if (at := data.find(b"colrnclx")) >= 0:
        data[at + 8 : at + 14] = bytes((0, int(strength))) * 3
        path.write_bytes(data)


def _states_colours(facts: StreamFacts) -> bool:
    """Whether the file says what its colours are: of VP8 and JPEG ffprobe says what their standards say."""
    return matrix_number(facts.container_matrix if facts.codec in _OF_ONE_MATRIX else facts.matrix) is not None


def _means_as_much_untagged(base: Base) -> bool:
    return replace(base.output, matrix=None, container_matrix=None).matrix_by_rule() == base.reference.matrix_by_rule()


def _other_range(base: Base) -> str:
    is_full = base.output.full_range
    if not has_chroma(base):  # of grey FFmpeg's scaler converts no range
        black = 16 << (base.output.bits - 8)
        return f"lutyuv=y='{black}+val*219/255'" if is_full else f"lutyuv=y='(val-{black})*255/219'"
    ranges = ("pc", "tv") if is_full else ("tv", "pc")
    return f"scale=in_range={ranges[0]}:out_range={ranges[1]}:{PLAIN_SCALE}"


PICTURE_FAULTS: Final = (
    Fault(
        "matrix",
        "colour",
        (),
        (1,),
        "a mean of 1.6 codes, or what a known mistake explains",
        ("colour.meaning",),
        picture_filter(
            lambda base, _: (
                f"scale=in_color_matrix={'bt709' if base.output.matrix_by_rule() == 709 else 'bt601'}:"
                f"out_color_matrix={'bt601' if base.output.matrix_by_rule() == 709 else 'bt709'}:{PLAIN_SCALE}"
            )
        ),
        lambda base: base.matrix_codes >= 1.6 and base.output.matrix_by_rule() != 2020,
    ),
    Fault(
        "range",
        "colour",
        (),
        (1,),
        "a mean of 1.6 codes",
        ("colour.meaning",),
        seen(picture_filter(lambda base, _: _other_range(base)), _MEAN_CODES),
    ),
    Fault(
        "tag-in-bitstream",
        "colour",
        (),
        (6,),
        "any contradiction, or a mean of 1.6 codes",
        ("tags.agree", "colour.meaning"),
        _bitstream("matrix_coefficients={strength}", "matrix_coefficients={strength}"),
        lambda base: (
            tagged(base)
            and base.output.matrix_by_rule() == 709
            and base.output.path.suffix == ".mp4"
            and base.matrix_codes >= 1.6
        ),
    ),
    Fault(
        "tag-in-container",
        "colour",
        (),
        (1,),
        "any contradiction, and a mean of 1.6 codes where the bitstream says nothing that could contradict",
        ("tags.agree", "colour.meaning"),
        _container_matrix,
        lambda base: (
            tagged(base)
            and base.output.matrix_by_rule() == 709
            and base.matrix_codes >= 1.6
            and b"colrnclx" in base.output.path.read_bytes()
        ),
    ),
    Fault(
        "tags-removed",
        "colour",
        (),
        (2,),
        "where the reference states its colours, or silence means others",
        ("tags.present", "tags.agree"),
        _untagged,
        lambda base: (
            tagged(base)
            and base.reference.matrix is not None
            and (_states_colours(base.reference) or not _means_as_much_untagged(base))
            and base.output.path.suffix == ".mp4"
        ),
    ),
    Fault(
        "range-tag",
        "colour",
        (),
        (1,),
        "a mean of 1.6 codes",
        ("colour.meaning", "tags.agree"),
        _bitstream("video_full_range_flag={strength}", "video_full_range_flag={strength}"),
        lambda base: tagged(base) and not base.output.full_range,
    ),
    Fault(
        "siting-tag",
        "colour",
        (),
        (1,),
        "0.25 luma pixels, where chroma has edges",
        ("colour.siting",),
        _bitstream("chroma_sample_loc_type={strength}", "chroma_sample_loc_type={strength}"),
        lambda base: (
            tagged(base)
            and "420" in base.output.pixel_format
            and base.output.chroma_location != "center"  # this pipeline's own, by swscale, says so rightly
            and base.colour >= 20
            and base.detail >= 3
            and max(base.chroma_edges) >= _LEAST_EDGES
        ),
    ),
    Fault(
        "chroma-shifted",
        "colour",
        (),
        (1, 2),
        "0.25 luma pixels, where chroma has edges",
        ("colour.siting", "picture.local"),
        picture_filter(lambda _, px: f"chromashift=cbh={int(px)}:crh={int(px)}"),
        lambda base: base.colour >= 20 and base.detail >= 3 and eight_bits_limited(base),
    ),
    Fault(
        "one-plane-shifted",
        "colour",
        (),
        (2, 4),
        "0.25 luma pixels, where chroma has edges",
        ("colour.siting", "picture.local", "colour.meaning"),
        picture_filter(lambda _, px: f"chromashift=crh={int(px)}"),
        lambda base: (
            base.colour >= 20
            and base.detail >= 3
            and min(base.chroma_edges) >= _LEAST_OF_BOTH
            and eight_bits_limited(base)
        ),
    ),
    Fault(
        "truncated-codes",
        "colour",
        (),
        (0.5,),
        "a mean of -0.28 codes over at least 10 flat colours that stand still, where it was within 0.2 before",
        ("colour.bias",),
        picture_filter(lambda *_: "geq=lum='lum(X,Y)-mod(X+Y,2)':cb='cb(X,Y)-mod(X+Y,2)':cr='cr(X,Y)-mod(X+Y,2)'"),
        # What coding and colours beyond R'G'B' add to it may be as much: of those 0.5 then nothing is left.
        lambda base: (
            eight_bits_limited(base) and base.output.width <= 640 and base.flat_colours >= 12 and base.rounding <= 0.2
        ),
    ),
    Fault(
        "gamma",
        "colour",
        (1.02,),
        (1.15, 1.4),
        "a mean of 1.6 codes",
        COLOUR_CHECKS,
        seen(picture_filter(lambda _, g: f"eq=gamma={g}"), _MEAN_CODES, weak=(1.02,)),
        eight_bits_limited,
    ),
    Fault(
        "brighter",
        "colour",
        (0.01, 0.03),
        (0.06, 0.1),
        "a mean of 1.6 codes",
        (*COLOUR_CHECKS, "picture.quality"),
        seen(picture_filter(lambda _, b: f"eq=brightness={b}"), _MEAN_CODES, weak=(0.01, 0.03)),
        eight_bits_limited,
    ),
    Fault(
        "hue",
        "colour",
        (2,),
        (15, 40),
        "a mean of 1.6 codes",
        COLOUR_CHECKS,
        seen(picture_filter(lambda _, h: f"hue=h={h}"), _MEAN_CODES, weak=(2,)),
        lambda base: coloured(base) and eight_bits_limited(base),
    ),
    Fault(
        "saturation",
        "colour",
        (0.97,),
        (0.75, 1.4),
        "a mean of 1.6 codes",
        COLOUR_CHECKS,
        seen(picture_filter(lambda _, s: f"hue=s={s}"), _MEAN_CODES, weak=(0.97,)),
        lambda base: coloured(base) and eight_bits_limited(base),
    ),
    Fault(
        "cb-cr-swapped",
        "colour",
        (),
        (1,),
        "a mean of 1.6 codes",
        ("colour.meaning",),
        seen(picture_filter(lambda *_: "swapuv"), _MEAN_CODES),
        coloured,
    ),
    Fault(
        "levels-lost",
        "colour",
        (252, 248),
        (240,),
        "luma levels in steps eight times as wide as coding is off, of 100 levels",
        ("colour.levels", "colour.bias", "colour.meaning"),
        picture_filter(lambda _, mask: f"lutyuv=y='bitand(val,{int(mask)})'"),
        graded(16),
    ),
    Fault(
        "depth-cut",
        "colour",
        (),
        (6, 5),
        "bits of depth lost",
        ("colour.levels", "colour.bias", "colour.meaning", "picture.depth", "colour.depth"),
        picture_filter(lambda _, bits: f"lutyuv=y='bitand(val,{1024 - (1 << (10 - int(bits)))})'"),
        lambda base: "10le" in base.output.pixel_format and "10" in base.reference.pixel_format,
    ),
    Fault(
        "cropped",
        "geometry",
        (),
        (8, 24),
        "0.2 px, where there are edges",
        ("picture.place", *PICTURE_CHECKS, "picture.edges", "picture.sharpness"),
        picture_filter(
            lambda base, px: (
                f"crop=iw-{int(px)}:ih-{int(px)},scale={base.output.width}:{base.output.height}:flags=bicubic,"
                f"{square_again(base)}"
            )
        ),
        detailed,
    ),
    Fault(
        "shifted",
        "geometry",
        (),
        (1, 2),
        "0.2 px, where there are edges",
        ("picture.place",),
        picture_filter(
            # By way of 4:4:4, where one pixel is a whole sample of every plane.
            lambda base, px: (
                f"format={_full_chroma(base)},crop=iw-{int(px)}:ih:{int(px)}:0,pad=iw+{int(px)}:ih:0:0,"
                f"format={base.output.pixel_format}"
            )
        ),
        detailed,
    ),
    Fault(
        "scaled-up-from-half",
        "geometry",
        (),
        (2, 3),
        "65% of the finest detail",
        ("picture.sharpness", "picture.quality", "picture.local"),
        without_detail(
            picture_filter(
                lambda base, n: (
                    f"scale=iw/{n}:-2,scale={base.output.width}:{base.output.height}:flags=bicubic,{square_again(base)}"
                )
            )
        ),
        detailed,
    ),
    Fault(
        "pixel-aspect",
        "geometry",
        (),
        (1.33, 2),
        "another size than the reference's",
        ("picture.size",),
        picture_filter(lambda base, aspect: f"setsar={aspect * float(base.output.sample_aspect)}"),
    ),
    Fault(
        "rotated",
        "geometry",
        (),
        (90, 180),
        "any turn",
        ("picture.orientation", "picture.size"),
        _rotated,
        lambda base: (
            base.output.path.suffix in {".mp4", ".mov"}
            and not base.output.rotation
            and not base.output.is_mirrored
            and lopsided(base)
        ),
    ),
    Fault(
        "mirrored",
        "geometry",
        (),
        (1,),
        "any flip of a picture that is not symmetric",
        ("picture.orientation", "picture.same"),
        picture_filter(lambda *_: "hflip"),
        lopsided,
    ),
    Fault(
        "upside-down",
        "geometry",
        (),
        (1,),
        "any flip of a picture that is not symmetric",
        ("picture.orientation", "picture.same"),
        picture_filter(lambda *_: "vflip"),
        lopsided,
    ),
    Fault(
        "padded",
        "geometry",
        (),
        (8, 32),
        "borders, and 0.2 px",
        ("picture.edges", "picture.place", *PICTURE_CHECKS),
        picture_filter(
            lambda base, px: (
                f"scale=iw-{int(px)}:ih-{int(px)},"
                f"pad={base.output.width}:{base.output.height}:{int(px) // 2}:{int(px) // 2},{square_again(base)}"
            )
        ),
    ),
    Fault(
        "other-size",
        "geometry",
        (),
        (0.75, 0.5),
        "any other size",
        ("picture.size",),
        picture_filter(
            lambda base, share: (
                f"scale={int(base.output.width * share) // 2 * 2}:{int(base.output.height * share) // 2 * 2}"
            )
        ),
    ),
)
