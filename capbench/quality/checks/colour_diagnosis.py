"""Which error turns the reference's colours into the output's? Found by trying each known one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec, MatrixCoefficients, Range
from capbench.quality.checks import limits
from capbench.quality.measurements import Misreading

__all__ = ["ColourFault", "find_block_fault", "find_colour_fault", "rgb_of_codes"]

Codes = NDArray[np.float64]
"""Y, Cb, Cr in 8-bit codes, one colour a row."""

_NAMES = {MatrixCoefficients.BT601: "BT.601", MatrixCoefficients.BT709: "BT.709", MatrixCoefficients.BT2020: "BT.2020"}
_EXPONENTS = (0.35, 0.45, 1 / 1.96, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.35, 1.5, 1.8, 1.96, 2.2, 2.4)
"""Gamma mistakes in use: 2.2 and 1/2.2 (a transfer applied twice or not at all), 1.96 and the 1.1 to 1.2 of players."""
_LARGEST_USEFUL_CODES = 64.0
"""A colour that is off by more than this counts as this much: one wrong block must not outvote the rest."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    """A known error."""

    name: str
    """In words."""
    applied: Callable[[Codes], Codes]
    """What it makes of the right codes."""
    misreading: Misreading | None = None
    """How it is undone by reading codes otherwise; None where no matrix or range explains it."""


@dataclass(frozen=True, slots=True, eq=False)
class ColourFault:
    """How far colours are off, and the one known error that explains it."""

    error_codes: float
    """Mean absolute difference over colours and components, as the tags say the codes are to be read."""
    name: str | None
    """The error in words; None if the colours are right, or if no single error explains them."""
    remaining_codes: float
    """The difference that is left when that error is undone."""
    assumed: Codes
    """The reference's colours, with that error applied if one is named."""
    misreading: Misreading | None = None
    """How codes have to be read for the error to be undone; None where no matrix or range explains it."""


def rgb_of_codes(codes: Codes, spec: ColourSpec) -> Codes:
    """R'G'B' of 0..1, not clamped, of Y, Cb, Cr codes."""
    offsets = (spec.luma_offset_code, 128, 128)
    spans = (spec.luma_span_codes, spec.chroma_span_codes, spec.chroma_span_codes)
    rgb: Codes = (codes - offsets) / spans @ np.array(spec.matrix.rgb_from_differences).T
    return rgb


def _codes_of_rgb(rgb: Codes, spec: ColourSpec) -> Codes:
    kr, kb = spec.matrix.kr_kb
    offset, luma_span, chroma_span = spec.luma_offset_code, spec.luma_span_codes, spec.chroma_span_codes
    y = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    cb, cr = (rgb[..., 2] - y) / (2 * (1 - kb)), (rgb[..., 0] - y) / (2 * (1 - kr))
    return np.stack([offset + luma_span * y, 128 + chroma_span * cb, 128 + chroma_span * cr], axis=-1).clip(0, 255)


def _mistakes(tagged: ColourSpec, *, is_tagged: bool) -> Iterator[_Mistake]:
    def encoded_as(spec: ColourSpec) -> Callable[[Codes], Codes]:
        return lambda codes: _codes_of_rgb(rgb_of_codes(codes, tagged).clip(0, 1), spec)

    def read_as(spec: ColourSpec) -> Callable[[Codes], Codes]:
        return lambda codes: _codes_of_rgb(rgb_of_codes(codes, spec).clip(0, 1), tagged)

    def with_exponent(exponent: float) -> Callable[[Codes], Codes]:
        return lambda codes: _codes_of_rgb(rgb_of_codes(codes, tagged).clip(0, 1) ** exponent, tagged)

    for matrix in MatrixCoefficients:
        for extent in Range:
            faults = []
            if matrix is not tagged.matrix:
                faults.append(f"pixels are {_NAMES[matrix]} but tagged {_NAMES[tagged.matrix]}")
            if extent is not tagged.range:
                faults.append(f"{extent.value} range tagged {tagged.range.value}")
            if faults:
                other = ColourSpec(matrix, extent, tagged.siting)
                read = f"as if {_words(other, tagged)} had been read as {_words(tagged, other)}"
                yield _Mistake(" and ".join(faults) if is_tagged else read, encoded_as(other), Misreading(other))
                yield _Mistake(
                    f"as if {_words(tagged, other)} had been read as {_words(other, tagged)}",
                    read_as(other),
                    Misreading(tagged, reference=other),
                )
    yield _Mistake("Cb and Cr swapped", lambda codes: codes[..., [0, 2, 1]])
    yield _Mistake(
        "red and blue swapped",
        lambda codes: _codes_of_rgb(rgb_of_codes(codes, tagged)[..., ::-1].clip(0, 1), tagged),
    )
    yield _Mistake(
        "chroma lost: the picture is grey",
        lambda codes: np.stack([codes[..., 0], 0 * codes[..., 1] + 128, 0 * codes[..., 2] + 128], axis=-1),
    )
    yield _Mistake("chroma is all zero: the picture is green", lambda codes: codes * [1, 0, 0])
    yield _Mistake(
        "three of every four chroma bytes are zero, as if words were written at byte offsets: the picture is green",
        lambda codes: codes * [1, 0.5, 0],
    )
    yield _Mistake("Cr is a copy of Cb", lambda codes: codes[..., [0, 1, 1]])
    for exponent in _EXPONENTS:
        way = "darker" if exponent > 1 else "brighter"
        name = f"gamma error: the picture is {way} by an exponent of about {exponent:.2f}"
        yield _Mistake(name, with_exponent(exponent))


def _words(spec: ColourSpec, other: ColourSpec) -> str:
    """What differs in one specification from another."""
    matrix = [_NAMES[spec.matrix]] if spec.matrix is not other.matrix else []
    extent = [f"{spec.range.value} range"] if spec.range is not other.range else []
    return " in ".join(matrix + extent)


@dataclass(frozen=True, slots=True, eq=False)
class _Adjustment:
    """The setting of a colour control that turns the reference's codes into the output's."""

    luma_gain: float = 1.0
    luma_offset_codes: float = 0.0
    chroma: complex = 1.0
    """Cb + i Cr is multiplied by this: its magnitude is the saturation, its angle the hue."""

    @property
    def words(self) -> str:
        """What is changed; empty for nothing."""
        parts = []
        if self.luma_gain != 1:
            parts.append(f"contrast is {self.luma_gain:.0%} of the reference's")
        elif self.luma_offset_codes:
            way = "brighter" if self.luma_offset_codes > 0 else "darker"
            parts.append(f"luma is {abs(self.luma_offset_codes):.1f} codes {way} throughout")
        if abs(self.chroma) != 1:
            parts.append(f"saturation is {abs(self.chroma):.0%} of the reference's")
        if np.angle(self.chroma):
            parts.append(f"hue is rotated by {np.degrees(np.angle(self.chroma)):+.0f}°")
        return " and ".join(parts)

    @property
    def is_paler_only(self) -> bool:
        """Whether nothing changes but that colours lose some of their strength."""
        luma_is_kept = self.luma_gain == 1 and not self.luma_offset_codes
        return luma_is_kept and abs(self.chroma) < 1 and not np.angle(self.chroma)

    def __call__(self, codes: Codes) -> Codes:
        chroma = (codes[:, 1] - 128 + 1j * (codes[:, 2] - 128)) * self.chroma
        luma = codes[:, 0] * self.luma_gain + self.luma_offset_codes
        return np.stack([luma, 128 + chroma.real, 128 + chroma.imag], axis=-1).clip(0, 255)


def _fitted(wanted: Codes, found: Codes) -> _Adjustment:
    """The part of the adjustment that noise and lost detail cannot explain.

    An encoder that smooths lowers the slope of the output on the reference below 1 and leaves that of the reference on
    the output at 1; a real gain changes both. So of all gains between the two slopes the one nearest to 1 is taken.
    """
    gain, offset = 1.0, float(np.median(found[:, 0] - wanted[:, 0]))
    luma = [part[:, 0] - part[:, 0].mean() for part in (wanted, found)]
    if luma[0].std() >= limits.ADJUSTED_LUMA_SPREAD_CODES:
        gain = abs(_certain_gain(luma[0], luma[1]))
        gain = gain if abs(gain - 1) >= limits.ADJUSTED_CONTRAST else 1.0
    if gain != 1:
        raised = float(found[:, 0].mean() - gain * wanted[:, 0].mean())
        changes = (gain - 1) * wanted[:, 0] + raised
        matters = float(np.sqrt(np.mean(np.square(changes)))) >= limits.ADJUSTED_CODES
        gain, offset = (gain, raised) if matters else (1.0, offset)
    if gain == 1 and abs(offset) < limits.ADJUSTED_LUMA_CODES:
        offset = 0.0
    chroma = [part[:, 1] - 128 + 1j * (part[:, 2] - 128) for part in (wanted, found)]
    size = float(np.sqrt(np.mean(np.abs(chroma[0]) ** 2)))
    turn: complex = 1.0
    if size >= limits.ADJUSTED_CHROMA_CODES:
        factor = _certain_gain(chroma[0], chroma[1])
        saturation, angle = abs(factor), float(np.angle(factor))
        saturation = saturation if abs(saturation - 1) >= limits.ADJUSTED_SATURATION else 1.0
        turn = complex(saturation) * (np.exp(1j * angle) if abs(angle) >= limits.ADJUSTED_HUE_RAD else 1.0)
        turn = complex(turn) if abs(turn - 1) * size >= limits.ADJUSTED_CODES else 1.0
    return _Adjustment(gain, offset, turn)


def _certain_gain(wanted: NDArray[np.complex128], found: NDArray[np.complex128]) -> complex:
    """Factor from one to the other, its magnitude as close to 1 as both regressions allow; 1 without correlation."""
    product = complex(np.vdot(wanted, found))
    energies = [float(np.vdot(values, values).real) for values in (wanted, found)]
    if abs(product) < limits.ADJUSTED_CORRELATION * float(np.sqrt(energies[0] * energies[1])) or not product:
        return 1.0
    slopes = sorted([abs(product) / energies[0], energies[1] / abs(product)])
    return product / abs(product) * min(max(1.0, slopes[0]), slopes[1])


def find_block_fault(wanted: Codes, found: Codes, tagged: ColourSpec, *, is_tagged: bool = True) -> ColourFault:
    """The same for blocks of any content, for pictures in which too few colours are flat.

    Blocks carry coding noise and lost detail, so a difference counts only if a known error explains it.
    """
    error = _difference(wanted, found) if len(wanted) else 0.0
    if len(wanted) < limits.FEWEST_BLOCKS:
        return ColourFault(error, None, error, wanted)
    if error > limits.COLOUR_ERROR_CODES:
        fault = find_colour_fault(
            wanted, found, tagged, is_tagged=is_tagged, explained_share=limits.DROPPED_COLOUR_SHARE
        )
        if fault.name is not None:
            return fault
    misread = _misread_where_it_shows(wanted, found, tagged, is_tagged=is_tagged)
    if misread is not None:
        return misread
    adjustment = _fitted(wanted, found)
    assumed = adjustment(wanted)
    rest = _difference(assumed, found)
    share = limits.DROPPED_COLOUR_SHARE if adjustment.is_paler_only else limits.ADJUSTED_EXPLAINED_SHARE
    is_explained = rest < share * error
    return ColourFault(error, (adjustment.words or None) if is_explained else None, rest, assumed)


def _misread_where_it_shows(wanted: Codes, found: Codes, tagged: ColourSpec, *, is_tagged: bool) -> ColourFault | None:
    """A wrong matrix or range that explains the difference of the blocks that it changes: few, where few have colour.

    In the mean of all blocks those of a picture that has colour in one corner do not count.
    """
    best: ColourFault | None = None
    for mistake in _mistakes(tagged, is_tagged=is_tagged):
        if mistake.misreading is None:
            continue
        assumed = mistake.applied(wanted)
        shows = np.abs(assumed - wanted).mean(axis=1) > limits.COLOUR_ERROR_CODES
        if shows.sum() < limits.FEWEST_BLOCKS:
            continue
        error, rest = (_difference(codes[shows], found[shows]) for codes in (wanted, assumed))
        if error <= limits.COLOUR_ERROR_CODES or rest >= limits.COLOUR_EXPLAINED_SHARE * error:
            continue
        if best is None or rest / error < best.remaining_codes / best.error_codes:
            best = ColourFault(error, mistake.name, rest, assumed, mistake.misreading)
    return best


def find_colour_fault(
    wanted: Codes,
    found: Codes,
    tagged: ColourSpec,
    *,
    is_tagged: bool = True,
    explained_share: float = limits.COLOUR_EXPLAINED_SHARE,
) -> ColourFault:
    """Compare colours of the output with those of the reference, both in codes read as `tagged`.

    Arrays have shape (colours, 3). The error that leaves the smallest difference is named, if that is less than
    `explained_share` of the whole. `is_tagged`: whether the output is Y'CbCr with tags, not R'G'B'.
    """
    error = _difference(wanted, found) if len(wanted) else 0.0
    if error <= limits.COLOUR_SUSPICIOUS_CODES:
        return ColourFault(error, None, error, wanted)
    tried = [(mistake, mistake.applied(wanted)) for mistake in _mistakes(tagged, is_tagged=is_tagged)]
    mistake, assumed = min(tried, key=lambda attempt: _difference(attempt[1], found))
    rest = _difference(assumed, found)
    if rest < explained_share * error:
        return ColourFault(error, mistake.name, rest, assumed, mistake.misreading)
    adjustment = _fitted(wanted, found)
    adjusted = _difference(adjustment(wanted), found)
    if adjustment.words and adjusted < limits.COLOUR_EXPLAINED_SHARE * error:
        return ColourFault(error, adjustment.words, adjusted, adjustment(wanted))
    return ColourFault(error, None, rest, wanted)


def _difference(wanted: Codes, found: Codes) -> float:
    return float(np.abs(wanted - found).clip(0, _LARGEST_USEFUL_CODES).mean())
