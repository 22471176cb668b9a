"""`validate` on sizes that were rounded, with a pixel aspect that makes up for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from capbench.quality.expectation import Expectation
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.validate import validate


def write(path: Path, size: tuple[int, int], aspect: Fraction = Fraction(1)) -> Path:
    """Soft pictures that move, drawn at 398x224 and brought to a size."""
    noise = gaussian_filter(np.random.default_rng(3).normal(0, 1, (3, 224, 420)), (0, 5, 5))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "6"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = aspect
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for number in range(4):
            planes = []
            for index, plane in enumerate(noise):
                picture = Image.fromarray((128 + 25 * plane[:, 3 * number :][:, :398] / noise.std()).astype(np.float32))
                step = 2 if index else 1
                scaled = picture.resize((size[0] // step, size[1] // step), Image.Resampling.BICUBIC)
                planes.append(np.asarray(scaled).round().clip(16, 235).astype(np.uint8))
            frame = as_frame(Planes(*planes))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("aspect", "is_right"),
    [
        (Fraction(1), True),
        # What FFmpeg's scaler writes, so that the shape stays that of 398x224: 148 rows of 263 square pixels.
        (Fraction(7363, 7392), True),
        (Fraction(199, 198), True),
        (Fraction(33, 32), False),
    ],
)
def test_an_aspect_that_makes_up_for_rounding_is_no_other_size(
    tmp_path: Path, aspect: Fraction, *, is_right: bool
) -> None:
    reference = write(tmp_path / "reference.mp4", (398, 224))
    output = write(tmp_path / "output.mp4", (264, 148), aspect)

    report = validate(reference, output, expected=Expectation(size=(264, 148)), with_vmaf=False)

    failed = {check.name for check in report.failures}
    assert failed == set() if is_right else "picture.size" in failed
