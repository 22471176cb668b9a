"""SSIMULACRA2 as a metric of capbench, by the package `ssimulacra2`, in a package of its own.

Its package names it in pyproject.toml, and `capbench validate ... --metrics default,ssimulacra2` finds it:

    [project.entry-points."capbench.metrics"]
    ssimulacra2 = "ssimulacra2_metric:SSIMULACRA2"
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.results.metric_registry import Direction, MeasuredFrames, MetricMargins, OfferedMetric, QualityMetric


def measure(output: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Score of one pair of R'G'B' pictures, which the package takes for sRGB. It wants files, so they lie in memory."""
    from ssimulacra2 import compute_ssimulacra2  # here, so that listing the metrics does not load SciPy

    return float(compute_ssimulacra2(_file(reference), _file(output)))


def _file(picture: NDArray[np.uint8]) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PPM")  # uncompressed
    file.seek(0)
    return file


SSIMULACRA2 = OfferedMetric(
    QualityMetric(
        name="ssimulacra2",
        label="SSIMULACRA2",
        direction=Direction.HIGHER,
        decimals=2,
        range=(-float("inf"), 100.0),
        frames=MeasuredFrames.WORST,  # it takes seconds a frame
        margins=MetricMargins(mean=1.0),  # scores of 70 and 90 are "high" and "visually lossless" quality
        source="Sneyers 2022: multi-scale SSIM and edge differences in XYB",
        computed_by="the package ssimulacra2",
    ),
    measure,
)
