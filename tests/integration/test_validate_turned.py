"""`validate` on clips whose display matrix turns or mirrors them: by hand in the track header, as ffmpeg writes it."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.validate import validate
from capbench.results import ValidationReport

Plane = NDArray[np.uint8]
Matrix = tuple[int, int, int, int]
WIDTH, HEIGHT, FRAMES = 128, 96, 4
MATRICES: dict[str, Matrix] = {
    "flipped left to right": (-1, 0, 0, 1),
    "flipped upside down": (1, 0, 0, -1),
    "along the diagonal": (0, 1, 1, 0),
    "along the other diagonal": (0, -1, -1, 0),
    "a quarter turn": (0, 1, -1, 0),
    "half a turn": (-1, 0, 0, -1),
}
"""a, b, c and d of ISO/IEC 14496-12, 6.2.2: (x, y) is shown at (a x + c y, b x + d y)."""


def textured(number: int) -> list[NDArray[np.float64]]:
    """Y, Cb and Cr, one sample for each pixel, that move and look the same in no other orientation."""
    random = np.random.default_rng(7)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    planes = []
    for slope in (0.5, 0.2, -0.2):
        noise = gaussian_filter(random.normal(0, 1, (HEIGHT, WIDTH + 2 * FRAMES)), 2.5)
        shown = noise[:, 2 * number : 2 * number + WIDTH] / noise.std()
        planes.append(128 + 22 * shown + slope * (columns - WIDTH / 2) + slope / 2 * (rows - HEIGHT / 2))
    return planes


def seen(plane: NDArray[np.float64], matrix: Matrix) -> NDArray[np.float64]:
    """Sample by sample as the standard puts it, whatever turn and mirror that is."""
    a, b, c, d = matrix
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]]
    x, y = a * columns + c * rows, b * columns + d * rows
    shown = np.empty(plane.shape[::-1] if b else plane.shape)
    shown[y - y.min(), x - x.min()] = plane
    return shown


def write(path: Path, *, shown_by: Matrix | None = None, stated: Matrix | None = None) -> Path:
    """A clip of 4:4:4 whose pictures are those that a viewer sees by one matrix, and whose header states one."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "8"})
        assert isinstance(stream, av.VideoStream)
        pictures = [
            [seen(plane, shown_by) if shown_by else plane for plane in textured(number)] for number in range(FRAMES)
        ]
        stream.height, stream.width = pictures[0][0].shape
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for number, picture in enumerate(pictures):
            frame = as_frame(Planes(*(coded(plane, 2 if index else 1) for index, plane in enumerate(picture))))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if stated:
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 44
        a, b, c, d = (value * 65536 for value in stated)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
    return path


def coded(plane: NDArray[np.float64], step: int) -> Plane:
    """Chroma of 4:2:0 between two rows and on the left one of two columns."""
    if step == 2:
        left = np.concatenate([plane[:, :1], plane[:, :-1]], axis=1)
        right = np.concatenate([plane[:, 1:], plane[:, -1:]], axis=1)
        rows = ((left + 2 * plane + right) / 4)[:, ::2]
        plane = (rows[::2] + rows[1::2]) / 2
    codes: Plane = plane.round().clip(16, 235).astype(np.uint8)
    return codes


def failed(report: ValidationReport) -> set[str]:
    return {check.name for check in report.failures}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_an_export_that_applies_the_matrix_is_right_and_so_is_a_copy(tmp_path: Path, matrix: Matrix) -> None:
    reference = write(tmp_path / "reference.mp4", stated=matrix)

    for name, output in (
        ("applied", write(tmp_path / "applied.mp4", shown_by=matrix)),
        ("copied", write(tmp_path / "copied.mp4", stated=matrix)),
    ):
        assert failed(validate(reference, output, with_vmaf=False)) == set(), name


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_a_matrix_that_was_lost_added_or_applied_twice_is_seen(tmp_path: Path, matrix: Matrix) -> None:
    plain = write(tmp_path / "plain.mp4")
    stated = write(tmp_path / "stated.mp4", stated=matrix)
    twice = write(tmp_path / "twice.mp4", shown_by=matrix, stated=matrix)

    for name, reference, output in (("lost", stated, plain), ("added", plain, stated), ("twice", stated, twice)):
        found = failed(validate(reference, output, with_vmaf=False))
        assert found & {"picture.orientation", "picture.size"}, name


def test_only_the_mirror_was_lost(tmp_path: Path) -> None:
    """By the angle alone, what is flipped left to right is half a turn."""
    reference = write(tmp_path / "reference.mp4", stated=(-1, 0, 0, 1))

    report = validate(reference, write(tmp_path / "output.mp4", shown_by=(-1, 0, 0, -1)), with_vmaf=False)

    messages = {check.name: check.message for check in report.failures}
    assert messages["picture.orientation"] == "the picture is flipped vertically compared with the reference"
