"""What this machine makes of known pictures, as a digest: machines of equal digests give equal figures.

Decoded frames are compared by digest already. What is left is arithmetic: swscale, the order in which BLAS adds up,
FFT, libvmaf; all of them choose code by the processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction

import av
import numpy as np

from capbench.colour import ColourSpec
from capbench.quality.metrics.frame_pairs import PictureMeter
from capbench.quality.metrics.open_meters import open_meters
from capbench.quality.parts.part_plan import PairedFrame, PartPlan
from capbench.quality.parts.records_json import records_as_json
from capbench.quality.reading.observed_frame import observe
from capbench.quality.reading.planes import Planes, as_frame
from capbench.results.metric_registry import choose_metrics

__all__ = ["arithmetic_digest"]

_SIZE = 384, 256
"""Width and height: large enough for every metric, and for several blocks of each."""
_PAIRS = 4
"""Two more than the farthest that a metric looks back."""


def arithmetic_digest(metrics: Sequence[str]) -> str:
    """SHA-256 of all that measuring a few known pairs of pictures gives, and of the versions of what measures them."""
    chosen = choose_metrics(list(metrics))
    spec = ColourSpec()
    shown = [_planes(moved) for moved in range(_PAIRS)]
    got = [_noisy(planes, number) for number, planes in enumerate(shown)]
    sides = ([as_frame(planes, number) for number, planes in enumerate(side)] for side in (got, shown))
    pictures = [observe(frames, lambda frame: frame) for frames in sides]
    with closing(open_meters(chosen, spec, _SIZE, rate=Fraction(60), sample_every=1)) as meters:
        meter = PictureMeter(spec, sample_every=1, keep_worst=False, meters=meters)
        with closing(meter):
            for found, wanted in zip(*pictures, strict=True):
                meter.add(found, wanted, None)
            records = meter.records()
    frames = (PairedFrame(None, None),) * _PAIRS
    plan = PartPlan(0, 0, frames, (), (), marked=False, metrics=(), rate=None, threads=None)
    figures = records_as_json(records, plan)
    versions = f"{av.__version__} {sorted(av.library_versions.items())} {np.__version__}"
    return hashlib.sha256(f"{versions}\n{figures}".encode()).hexdigest()


def _planes(moved: int) -> Planes:
    """Triangular waves that move, with grain, in integers alone: detail at every scale, the same on every machine."""
    width, height = _SIZE
    down, across = np.mgrid[0:height, 0:width].astype(np.int64)
    grain = (across * 73 + down * 179 + moved * 283) ** 2 % 13
    luma = 20 + np.abs((3 * across + 2 * down + 5 * moved) % 160 - 80) + np.abs((7 * down - across) % 120 - 60) + grain
    chroma = (88 + np.abs((across[::2, ::2] + k * down[::2, ::2] + 3 * moved) % 160 - 80) for k in (1, 3))
    return Planes(*(plane.clip(16, 235).astype(np.uint8) for plane in (luma, *chroma)))


def _noisy(planes: Planes, number: int) -> Planes:
    places = (np.arange(plane.size, dtype=np.int64).reshape(plane.shape) for plane in planes.all)
    return Planes(
        *(
            (plane + (place * (101 + number)) ** 2 % 9 - 4).clip(16, 235).astype(np.uint8)
            for plane, place in zip(planes.all, places, strict=True)
        )
    )
