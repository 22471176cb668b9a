"""The worst pairs as pictures that people look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.colour import ColourSpec
from capbench.errors import OutputError
from capbench.quality.oracle import nv12_to_rgb
from capbench.quality.picture_meter import KeptPair
from capbench.quality.pictures import Planes
from capbench.results import WorstFrame

__all__ = ["DIFFERENCE_GAIN", "save_worst_frames"]

DIFFERENCE_GAIN = 8
"""Amplification of the difference picture: an error of 4 codes becomes visible."""


def save_worst_frames(pairs: list[KeptPair], spec: ColourSpec, folder: Path) -> tuple[WorstFrame, ...]:
    """Write reference, output and amplified difference of each pair to `folder`. Raises `OutputError`."""
    saved = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            wanted, found = _rgb(pair.want, spec), _rgb(pair.got, spec)
            difference = np.abs(wanted - found) * DIFFERENCE_GAIN
            names = {
                kind: f"frame-{pair.reference_frame:06d}-{kind}.png" for kind in ("reference", "output", "difference")
            }
            for kind, picture in (("reference", wanted), ("output", found), ("difference", difference)):
                Image.fromarray((picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)).save(folder / names[kind])
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


def _rgb(planes: Planes, spec: ColourSpec) -> NDArray[np.float64]:
    return nv12_to_rgb(planes.luma, planes.chroma, spec)
