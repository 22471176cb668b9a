"""The pictures of the worst pairs: the right colours, and a difference that can be seen."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.colour import ColourSpec, MatrixCoefficients, Range
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.worst_frames import DIFFERENCE_GAIN, FrameSaver, save_worst_frames


def picture_of(folder: Path, name: str) -> NDArray[np.int16]:
    return np.asarray(Image.open(folder / name)).astype(np.int16)


@pytest.mark.parametrize("spec", [ColourSpec(*pair) for pair in itertools.product(MatrixCoefficients, Range)], ids=str)
def test_pictures_show_the_colours_that_the_tags_mean(spec: ColourSpec, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rgb = np.kron(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    luma, chroma = rgb_to_nv12(rgb, spec)
    planes = Planes(luma, chroma[..., 0], chroma[..., 1])
    darker = Planes(luma - 4, planes.cb, planes.cr)

    (saved,) = save_worst_frames([KeptPair(30.0, 11, 12, got=darker, want=planes)], spec, tmp_path)

    middle = (slice(4, None, 8), slice(4, None, 8))  # of each patch: away from chroma's edges
    shown = picture_of(tmp_path, saved.reference_png)[middle]
    # One code of Cb is 2 of B' in limited range, and swscale adds its own rounding.
    assert np.abs(shown - rgb[middle].astype(np.int16)).max() <= 4
    difference = picture_of(tmp_path, saved.difference_png)[middle]
    seen = np.abs(shown - picture_of(tmp_path, saved.output_png)[middle]) * DIFFERENCE_GAIN
    assert np.array_equal(difference, seen.clip(0, 255))
    assert np.median(difference) >= 3 * DIFFERENCE_GAIN
    assert saved.frame == 12


def flat(index: int, code: int) -> ObservedPicture:
    frame = as_frame(Planes(np.full((16, 16), code, np.uint8), *(np.full((8, 8), 128, np.uint8),) * 2))
    record = FrameRecord(
        index=index,
        time_s=Fraction(index, 30),
        number=None,
        number_visible=False,
        mean_codes=(float(code), 128.0, 128.0),
        spread_codes=0.0,
        moved_codes=0.0,
        flash=None,
    )
    return ObservedPicture(record, frame, np.full((2, 2, 3), code, np.float32))


@pytest.mark.parametrize("counts", [False, True])
def test_pictures_are_those_of_the_reading_that_counts(counts: bool, tmp_path: Path) -> None:
    """They stayed those of the first one."""
    saver = FrameSaver(tmp_path)
    saver.save(ColourSpec(), flat(0, 40), flat(0, 40))
    saver.save(ColourSpec(), flat(3, 40), flat(3, 40))

    with saver.beside() as second:
        second.save(ColourSpec(), flat(0, 40), flat(0, 200))
        if counts:
            saver.take(second)

    shown = [float(picture_of(tmp_path, saved.reference_png).mean()) for saved in saver.saved]
    assert len(shown) == (1 if counts else 2)
    assert (shown[0] > 128) == counts
    assert len(list(tmp_path.iterdir())) == 2 * len(shown)
