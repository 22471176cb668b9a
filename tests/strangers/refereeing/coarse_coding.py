"""How good can a clip be in so many bytes? What an output is off by is its coding where its codec can do no better.

Pictures that nobody can foretell, such as cells that live and die, cost decibels at any bit rate in use, and a program
that is asked for the coarsest quality gives it. Neither is a fault of the program, and neither is right beyond dispute.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.strangers.stream_facts import StreamFacts, probe
from tests.strangers.tool_programs import ToolError, run_tool

__all__ = ["figures_of_coarse_coding"]

_Options = Callable[[int], list[str]]

ENCODED_AGAIN: Final[dict[str, tuple[_Options, int]]] = {
    "h264": (lambda q: ["libx264", "-preset", "veryfast", "-crf", str(q)], 51),
    "hevc": (lambda q: ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-crf", str(q)], 51),
    "vp9": (lambda q: ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "0", "-crf", str(q)], 63),
    "av1": (lambda q: ["libsvtav1", "-preset", "10", "-crf", str(q)], 63),
    "mpeg2video": (lambda q: ["mpeg2video", "-q:v", str(q)], 31),
    "mjpeg": (lambda q: ["mjpeg", "-q:v", str(q)], 31),
}
"""FFmpeg's name of a codec to an encoder's options for a quantiser, and its coarsest one."""
_FINEST: Final = 2

_WORSE_DB: Final = 3.0
"""By how much encoders of one codec differ at the same bytes: presets by 1 to 2 dB, rate control within a clip of a
second by another."""
_WORSE_RATIO: Final = 1.5
"""The same of differences in codes, which 3 dB make larger by 1.4."""


def figures_of_coarse_coding(
    reference: StreamFacts, output: StreamFacts, measure: Callable[[StreamFacts], dict[str, float]]
) -> dict[str, float] | None:
    """How far off an output may be without being worse than other encoders' at its bytes.

    That is what `measure` finds of the finest encoding, by its codec, that takes no more bytes than it (of the coarsest
    one where all take more), and a little more. None where this codec is not encoded to here, or cannot take the clip.
    """
    # Of R'G'B' FFmpeg makes BT.601 and states nothing: that is no measure of colours.
    if output.codec not in ENCODED_AGAIN or reference.pixel_format.startswith(("gbr", "rgb", "bgr")):
        return None
    options, coarsest = ENCODED_AGAIN[output.codec]
    with tempfile.TemporaryDirectory() as folder:

        def encoded(quantiser: int) -> StreamFacts:
            path = Path(folder) / f"{quantiser}.mkv"
            if not path.is_file():
                _encode(reference, output, options(quantiser), path)
            return probe(path)

        finer, coarser = _FINEST, coarsest
        try:
            while finer < coarser:
                middle = (finer + coarser) // 2
                if encoded(middle).coded_bytes <= output.coded_bytes:
                    coarser = middle
                else:
                    finer = middle + 1
            # FFmpeg leaves the matrix as it is, whatever the codec means by saying nothing of it.
            meant = reference.matrix or {601: "smpte170m", 709: "bt709", 2020: "bt2020nc"}[reference.matrix_by_rule()]
            best = measure(replace(encoded(coarser), matrix=meant))
        except ToolError:
            return None
    return {name: value - _WORSE_DB if name == "psnr_db" else value * _WORSE_RATIO for name, value in best.items()}


def _encode(reference: StreamFacts, output: StreamFacts, options: list[str], path: Path) -> None:
    run_tool(
        [
            *("ffmpeg", "-v", "error", "-y", "-threads", "2", "-i", reference.path, "-map", "0:v:0"),
            *("-vf", f"scale={output.display[0]}:{output.display[1]}", "-pix_fmt", output.pixel_format),
            *("-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v"),
            *options,
            path,
        ]
    )
