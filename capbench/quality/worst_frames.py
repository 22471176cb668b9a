"""The worst pairs of frames as PNG files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

from capbench.colour import ColourSpec
from capbench.errors import OutputError
from capbench.files import write_atomic
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.reading.planes import as_frame, rgb_of
from capbench.results import ValidationReport, WorstFrame

__all__ = ["DIFFERENCE_GAIN", "save_worst_frames", "write_frame_csv"]

DIFFERENCE_GAIN = 8
"""Amplification of the difference picture: an error of 4 codes becomes visible."""
_FAST = 1
"""zlib's level: pictures grow by a fifth, and noise of 4K is packed in a quarter of the time, 0.7 s instead of 3."""


def save_worst_frames(pairs: list[KeptPair], spec: ColourSpec, folder: Path) -> tuple[WorstFrame, ...]:
    """Write reference, output and amplified difference of each pair to `folder`. Raises `OutputError`."""
    saved = []
    scaler = VideoReformatter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            wanted, found = (rgb_of(as_frame(planes), spec, scaler) for planes in (pair.want, pair.got))
            difference = np.abs(wanted.astype(np.int16) - found) * DIFFERENCE_GAIN
            names = {
                kind: f"frame-{pair.reference_frame:06d}-{kind}.png" for kind in ("reference", "output", "difference")
            }
            for kind, picture in (("reference", wanted), ("output", found), ("difference", difference)):
                shown = picture.clip(0, 255).astype(np.uint8)
                Image.fromarray(shown).save(folder / names[kind], compress_level=_FAST)
            saved.append(
                WorstFrame(
                    frame=pair.reference_frame,
                    metric="psnr_y",
                    value=pair.psnr_y_db,
                    reference_png=names["reference"],
                    output_png=names["output"],
                    difference_png=names["difference"],
                )
            )
    except OSError as error:
        raise OutputError(f"cannot write worst frames to {folder}: {error.strerror or error}") from error
    return tuple(saved)


def write_frame_csv(report: ValidationReport, target: Path) -> None:
    """One row an output frame, one column a metric; empty where a frame was not measured. Raises `OutputError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(report.series)
    writer.writerow(["frame", *names])
    for frame, values in enumerate(zip(*report.series.values(), strict=True)):
        writer.writerow([frame, *("" if value is None else f"{value:.6g}" for value in values)])
    try:
        write_atomic(target, text.getvalue())
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
