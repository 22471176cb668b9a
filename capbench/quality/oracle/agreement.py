"""How closely a conversion's planes agree with the oracle's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.errors import PictureError

__all__ = ["ConversionAgreement", "PlaneAgreement", "compare_planes"]


@dataclass(frozen=True, slots=True)
class PlaneAgreement:
    """One component against the oracle's."""

    largest_error_codes: int
    """Largest absolute difference."""
    share_exact: float
    """Share of samples that are equal, 0..1."""
    mean_signed_error_codes: float
    """Mean of got - want: -0.5 says that something truncates."""


@dataclass(frozen=True, slots=True)
class ConversionAgreement:
    """Y, Cb and Cr against the oracle's, and the worst of the three."""

    y: PlaneAgreement
    """Luma."""
    cb: PlaneAgreement
    """Blue difference."""
    cr: PlaneAgreement
    """Red difference."""

    @property
    def largest_error_codes(self) -> int:
        """Largest absolute difference of any component."""
        return max(plane.largest_error_codes for plane in (self.y, self.cb, self.cr))

    @property
    def share_exact(self) -> float:
        """Smallest share of equal samples of any component."""
        return min(plane.share_exact for plane in (self.y, self.cb, self.cr))

    @property
    def mean_signed_error_codes(self) -> float:
        """Bias of the component that has the largest one, with its sign."""
        return max((plane.mean_signed_error_codes for plane in (self.y, self.cb, self.cr)), key=abs)


def compare_planes(got: Sequence[NDArray[np.uint8]], want: Sequence[NDArray[np.uint8]]) -> ConversionAgreement:
    """Compare (luma, interleaved chroma) with (luma, interleaved chroma). Raises `PictureError` if shapes differ."""
    (got_luma, got_chroma), (want_luma, want_chroma) = got, want
    if got_luma.shape != want_luma.shape or got_chroma.shape != want_chroma.shape:
        raise PictureError(
            f"sizes differ: luma {got_luma.shape} against {want_luma.shape}, "
            f"chroma {got_chroma.shape} against {want_chroma.shape}"
        )
    return ConversionAgreement(
        y=_compare(got_luma, want_luma),
        cb=_compare(got_chroma[..., 0], want_chroma[..., 0]),
        cr=_compare(got_chroma[..., 1], want_chroma[..., 1]),
    )


def _compare(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> PlaneAgreement:
    error = got.astype(np.int16) - want.astype(np.int16)
    return PlaneAgreement(
        largest_error_codes=int(np.abs(error).max()),
        share_exact=float(np.mean(error == 0)),
        mean_signed_error_codes=float(error.mean()),
    )
