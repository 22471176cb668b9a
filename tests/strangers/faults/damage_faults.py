"""Damaged files, and pictures of too low a quality."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tests.strangers.faults.fault_tools import (
    PICTURE_CHECKS,
    Base,
    Fault,
    detailed,
    encoded_again,
    flows,
    from_moving,
    graded,
    picture_filter,
    without_detail,
)
from tests.strangers.faults.planted_frames import damaged
from tests.strangers.stream_facts import decode_pictures, picture_size, probe
from tests.strangers.tool_programs import ToolError, run_tool

__all__ = ["DAMAGE_FAULTS"]


def _box(base: Base, side: float) -> tuple[int, int, int]:
    """Left, top and side of a square near the middle, on the grid of macroblocks."""
    length = int(side)
    return base.output.width // 2 // 16 * 16, base.output.height // 2 // 16 * 16, length


def _bit_errors(base: Base, count: float, path: Path) -> None:
    """Bytes of the coded picture are overwritten, beyond the headers and before the index."""
    data = bytearray(base.output.path.read_bytes())
    start, end = _payload(data, base.output.path.suffix)
    choose = np.random.default_rng(len(data))
    for place in choose.integers(start + (end - start) // 4, end - (end - start) // 8, int(count)):
        data[place : place + 24] = choose.integers(0, 256, 24, dtype=np.uint8).tobytes()
    path.write_bytes(data)


def _payload(data: bytearray, suffix: str) -> tuple[int, int]:
    if suffix in {".mp4", ".mov"} and (at := data.find(b"mdat")) >= 4:
        return at + 4, at - 4 + int.from_bytes(data[at - 4 : at], "big")
    return 2000, len(data)


def _truncated(base: Base, share: float, path: Path) -> None:
    """The file ends early; an index that lay behind is put in front first, as a download would have it."""
    whole = path.with_suffix(f".whole{base.output.path.suffix}")
    front = ("-movflags", "+faststart") if base.output.path.suffix in {".mp4", ".mov"} else ()
    try:
        run_tool(["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy", *front, whole])
        data = whole.read_bytes()
    finally:
        whole.unlink(missing_ok=True)
    path.write_bytes(data[: int(len(data) * (1 - share))])


_WORST_QUANTISER: Final = 51
"""What is judged; finer ones give the curve below the limit."""
_COLLAPSE_DB: Final = 11.0
"""Drop of luma PSNR below the median that a judged collapse has at its worst, where 10 are promised to be seen."""
_COLLAPSED_DB: Final = 33.0
"""And what it falls below, where 34 are."""
_SEARCH_S: Final = 0.5
"""Until then rate control may look for its quantiser."""
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32) * np.float32(219 / 255)


def _collapsed(base: Base, quantiser: float, path: Path) -> None:
    """A collapse that shows: a page that scrolls is predicted well with any quantiser, and a base may be as coarse.

    Raises `ToolError` where it does not.
    """
    _collapse(base, quantiser, path)
    if quantiser < _WORST_QUANTISER:
        return
    faulty = probe(path)
    size = picture_size(base.output)
    wanted, got = (decode_pictures(facts, size) for facts in (base.reference, faulty))
    count = min(len(wanted), len(got), len(faulty.frames))
    errors = [float(np.mean(((wanted[n].astype(np.float32) - got[n]) @ _LUMA) ** 2)) for n in range(count)]
    psnr_db = 10 * np.log10(255**2 / np.maximum(errors, 1e-3))
    late = [frame.start_s - faulty.frames[0].start_s >= _SEARCH_S for frame in faulty.frames[:count]]
    worst, middle = float(psnr_db[late].min(initial=np.inf)), float(np.median(psnr_db))
    if worst > min(middle - _COLLAPSE_DB, _COLLAPSED_DB):
        message = f"{path.name}: no collapse, {worst:.1f} dB at worst where the median is {middle:.1f} dB"
        raise ToolError(message)


def _collapse(base: Base, quantiser: float, path: Path) -> None:
    first, last = base.frames // 3, 2 * base.frames // 3
    command = encoded_again(base, "null")
    # With ten bits the quantiser goes on to 63: the same steps are twelve farther.
    worst = int(quantiser) + (12 if base.output.bits > 8 else 0)
    parameters = f"zones={first},{last},q={worst}"
    place = command.index("-crf")
    if base.output.codec == "hevc":
        at = command.index("-x265-params")
        command[at + 1] = f"log-level=error:{parameters}"
    else:
        command[place + 2 : place + 2] = ["-x264-params", parameters]
    run_tool([*command, path])


DAMAGE_FAULTS: Final = (
    Fault(
        "bit-errors",
        "damage",
        (),
        (6, 20),
        "what the decoder notices, or 24 codes of a block",
        (
            "file.decodes",
            *PICTURE_CHECKS,
            "audio.decodes",
            "frames.missing",
            "frames.frozen",
            "frames.repeated",
            "frames.last",
            "file.frame_count",
        ),
        damaged(_bit_errors),
        lambda base: base.output.path.suffix in {".mp4", ".mov"},
    ),
    Fault(
        "cut-off-file",
        "damage",
        (),
        (0.15, 0.5),
        "any frame that does not decode",
        ("file.decodes", "frames.last", "file.frame_count", "time.duration"),
        damaged(_truncated),
    ),
    Fault(
        "wrong-macroblocks",
        "damage",
        (),
        (16, 48),
        "24 codes of an 8x8 block",
        ("picture.local", "frames.readable", "picture.outliers"),
        damaged(
            picture_filter(
                lambda base, side: "drawbox=x={}:y={}:w={}:h={}:c=magenta:t=fill:enable='{}'".format(
                    *_box(base, side)[:2], *[_box(base, side)[2]] * 2, from_moving(base, 2)
                )
            )
        ),
    ),
    Fault(
        "blurred",
        "quality",
        (0.4,),
        (1.6, 3),
        "65% of the finest detail",
        ("picture.sharpness", "picture.quality", "picture.local"),
        without_detail(picture_filter(lambda _, sigma: f"gblur=sigma={sigma}")),
        detailed,
    ),
    Fault(
        "banded",
        "quality",
        (240,),
        (224,),
        "luma levels in steps eight times as wide as coding is off, of 100 levels",
        ("colour.levels", "colour.bias", "colour.meaning", "picture.quality"),
        picture_filter(lambda _, mask: f"lutyuv=y='bitand(val,{int(mask)})+{(256 - int(mask)) // 2}'"),
        graded(32),
    ),
    Fault(
        "bitrate-collapse",
        "quality",
        (34,),
        (51,),
        "10 dB below the median and below 34 dB, after the first half second",
        (*PICTURE_CHECKS, "picture.sharpness"),
        _collapsed,
        lambda base: base.output.codec in {"h264", "hevc"} and base.detail >= 5 and flows(base),
    ),
    Fault(
        "text-illegible",
        "quality",
        (),
        (3, 6),
        "blurred by 1.5 pixels and more in 4 cells of 8x8, in 3 frames, where the rest is sharp",
        ("picture.sharpness", "picture.quality", "picture.local"),
        picture_filter(
            lambda _, sigma: (
                f"split[p][q];[q]crop=iw/2:ih/2:iw/4:ih/4,gblur=sigma={sigma}[r];[p][r]overlay=x=main_w/4:y=main_h/4:format=auto"
            )
        ),
        lambda base: base.clip.startswith("text") or base.clip == "variable-screen",
    ),
)
