"""Pairs of pictures at their own depth and in their own chroma, for the measures that are defined at any depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.errors import PictureError
from capbench.quality.metrics.background_meters import BackgroundMeters, Measured
from capbench.quality.metrics.pairs.rgb_gamut import clamped_native
from capbench.quality.reading.native.native_format import NativeFormat
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.observed_frame import ObservedPicture

__all__ = ["ComparedPair", "NativePairs"]

Plane = NDArray[np.uint8] | NDArray[np.uint16]
_METRICS = ("psnr_y", "psnr_cb", "psnr_cr", "ssim_y", "ssim_cb", "ssim_cr")


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPair:
    """Y, Cb, Cr of output and reference, of one size and depth. Views, valid while held."""

    got: Sequence[Plane]
    """Planes of the output."""
    want: Sequence[Plane]
    """Planes of the reference."""
    peak_code: int = 255
    """The largest code."""

    @property
    def planes(self) -> list[tuple[Plane, Plane]]:
        """Each plane of the output beside the reference's."""
        return list(zip(self.got, self.want, strict=True))


class NativePairs:
    """Makes the pairs, and feeds them to FFmpeg's filters. Changes: it keeps scalers and a filter graph."""

    def __init__(
        self,
        form: NativeFormat,
        *,
        got: NativeNormaliser,
        want: NativeNormaliser,
        spec: ColourSpec,
        has_same_codes: bool,
        meters: BackgroundMeters,
    ) -> None:
        """`got` and `want` bring frames of either file to `form`, in codes of `spec`; `meters` take its frames."""
        self.form = form
        """What pairs are compared in."""
        self.has_same_codes = has_same_codes
        """Whether codes of both files mean the same but for their depth, at the same places."""
        self._got = got
        self._want = want
        self._spec = spec
        self._meters = meters

    def begin(self, got: av.VideoFrame, want: av.VideoFrame, size: tuple[int, int]) -> None:
        """Show the first decoded frames of both files, whose tags are the files', where a part begins behind them."""
        self._got(got, size)
        self._want(want, size)

    def pair(self, got: ObservedPicture, want: ObservedPicture, *, is_clamped: bool) -> ComparedPair:
        """Planes of an output frame and of the reference frame that it shows.

        `is_clamped` says that the reference's picture had to be clamped to R'G'B', see `as_drawn`.
        Raises `PictureError` for pictures that were not kept as they were decoded.
        """
        size = got.frame.width, got.frame.height
        if got.decoded is None or want.decoded is None:
            raise PictureError("a picture was not kept as it was decoded")
        planes, wanted = self._got(got.decoded, size), self._want(want.decoded, size)
        if is_clamped:
            wanted = clamped_native(wanted, self._spec)
        self._meters.push(planes.as_frame(), wanted.as_frame())
        return ComparedPair(planes.all, wanted.all, self.form.peak_code)

    def finish(self) -> Measured:
        """End of input; what the filters found, and how it was measured."""
        found = self._meters.finish()
        return Measured(found.series, dict.fromkeys((*_METRICS, *found.series), str(self.form)), found.unmeasured)

    def close(self) -> None:
        """Let the filters go."""
        self._meters.close()
