"""Order and polarity of the channels relative to the reference, by correlating short pieces, sample by sample.

A channel with inverted polarity correlates by -1. Swapped channels need not correlate with each other, but their
difference is inverted, while their sum is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = [
    "ChannelOrder",
    "StereoImage",
    "best_place",
    "find_missing_channels",
    "measure_channel_order",
    "measure_stereo_image",
]

_AUDIBLE = 0.003  # -50 dB of full scale, as for gaps
_SEARCH_S = 0.005
"""Envelopes place a sound to 2 ms, and a steady tone is where its time stamps say."""
_FARTHEST_S = 0.1
"""Pieces that lie farther apart have too little in common."""
_OWN_SHARE = 0.5
"""Share of the energy that each side must explain of itself for the direction of its swing to mean something."""
_DOUBT_PER_MS = 0.05
"""What a fit loses for each millisecond off the expected place. Two tones come into any phase sooner or later."""

_MOST_ORDERED_PIECES = 16
"""Of so many pieces each channel is compared with each: 36 correlations apiece for 5.1."""
_CLEARLY = 0.5
"""Share of the energy by which another channel must explain more than its own, and half of which a turned one has."""
_NEVER_LEFT_OUT = ("FL", "FR", "FC")
"""Surround channels and LFE may have a level of 0 in a mix (ATSC A/52, 5.4.2.5)."""
_OWN_ENERGY = 0.3
"""Share of a channel's energy that no other channel has, from which its level in a mix can be told."""
_LEFT_OUT = 0.1
"""Level against that of the loudest below which a channel is missing: 20 dB, where a mix takes 3 to 6."""
_APART_SAMPLES = round(0.75e-3 * SOUND_RATE_HZ)
"""How much later a channel may be than the others: Opus codes each pair, and what has none, by itself, and of its two
ways to do it one is 0.6 ms later than the other."""
_AS_ALIKE = 0.8
"""Of two places that fit so nearly alike, in which a tone swings one way and the other, the one is meant where nothing
was turned over."""
_OTHER_NAMES = {"SL": "BL", "SR": "BR"}
"""5.1 has its surround channels at the sides or behind, and files of one kind become files of the other."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StereoImage:
    """Relation of the output's left and right to the reference's, each figure a mean over pieces."""

    alike: float
    """Share of the output's energy that the reference's sides explain, each its own or each the other."""
    polarity: float | None
    """1 if both channels have the reference's polarity or both the opposite one, -1 if one is inverted; None if only
    one carries sound, or if they are not the reference's."""
    sides: float | None
    """1 if left is left, -1 if left and right are swapped; None if they hardly differ."""
    pieces: int
    """Pieces that were compared."""


@dataclass(frozen=True, slots=True)
class ChannelOrder:
    """What became of the channels of a sound that has more than two."""

    moved: tuple[tuple[str, str], ...]
    """Channel of the output, and which of the reference's it carries instead of its own."""
    turned: tuple[str, ...]
    """Channels that swing the other way while the rest swings as in the reference."""


def measure_channel_order(reference: Sound, output: Sound, lag_ms: float, *, least_share: float) -> ChannelOrder | None:
    """Compare sounds that have the same channels, more than two; None for others, and for pieces with little in common.

    `lag_ms` and `least_share` are as for `measure_stereo_image`.
    """
    names, places = _places_by_name(reference.channel_names), _places_by_name(output.channel_names)
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if not names or names.keys() != places.keys() or abs(late_s) > _FARTHEST_S:
        return None
    rows = [places[name] for name in names]
    numbers = sorted(reference.channel_pieces.keys() & output.channel_pieces.keys())
    likeness, weights = np.zeros((len(rows), len(rows))), np.zeros(len(rows))
    for number in numbers[:: max(1, len(numbers) // _MOST_ORDERED_PIECES)]:
        want = reference.channel_pieces[number].astype(np.float64)
        got = output.channel_pieces[number][rows].astype(np.float64)
        found = _channel_likeness(want, got, late_s * SOUND_RATE_HZ, least_share)
        if found is not None:
            energy = np.square(got).sum(axis=1)
            likeness, weights = likeness + found * energy, weights + energy
    heard = weights > least_share * weights.max()
    if not heard.any():
        return None
    likeness[:, heard] /= weights[heard]
    return _order_of([str(output.channel_names[row]) for row in rows], likeness, heard)


def find_missing_channels(reference: Sound, output: Sound, lag_ms: float, *, least_share: float) -> tuple[str, ...]:
    """Front channels of the reference, which has more than two, that a mix to two leaves out; silent ones are none.

    Least squares of the mix on the channels gives their levels. `lag_ms` and `least_share` are as for
    `measure_stereo_image`; empty where the sounds cannot be compared.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if not reference.channel_names or reference.tracks > 1 or output.channels != 2 or abs(late_s) > _FARTHEST_S:
        return ()
    count = len(reference.channel_names)
    both, mixed = np.zeros((count, count)), np.zeros((2, count))
    numbers = sorted(reference.channel_pieces.keys() & output.pieces.keys())
    for number in numbers[:: max(1, len(numbers) // _MOST_ORDERED_PIECES)]:
        want, got = (part.astype(np.float64) for part in (reference.channel_pieces[number], output.pieces[number]))
        place = _place_of(want, got, late_s * SOUND_RATE_HZ, least_share)
        if place is not None:
            want = want[:, max(0, -place) : PIECE_SAMPLES - max(0, place)]
            got = got[:, max(0, place) : PIECE_SAMPLES - max(0, -place)]
            both, mixed = both + want @ want.T, mixed + got @ want.T
    energy = np.diagonal(both)
    heard = [place for place in range(count) if energy[place] > least_share * energy.max()]
    levels: dict[str, float] = {}
    for channel in heard:
        others = [other for other in heard if other != channel]
        explained = both[channel, others] @ np.linalg.pinv(both[np.ix_(others, others)]) @ both[others, channel]
        if reference.channel_names[channel] in _NEVER_LEFT_OUT and explained < (1 - _OWN_ENERGY) * energy[channel]:
            level = mixed[:, heard] @ np.linalg.pinv(both[np.ix_(heard, heard)])[:, heard.index(channel)]
            levels[reference.channel_names[channel]] = float(np.abs(level).max())
    return tuple(name for name, level in levels.items() if level < _LEFT_OUT * max(levels.values()))


def _place_of(want: Samples, got: Samples, late: float, least_share: float) -> int | None:
    """By how many samples `got` is late; None where it has too little in common with any channel of `want`."""
    found = _likeness_by_place(want, got, late, least_share)
    return None if found is None or found[2] < _OWN_ENERGY / len(want) else found[1]


def _places_by_name(names: tuple[str, ...]) -> dict[str, int]:
    has_both = any(other in names for other in _OTHER_NAMES.values())
    return {name if has_both else _OTHER_NAMES.get(name, name): place for place, name in enumerate(names)}


def _channel_likeness(want: Samples, got: Samples, late: float, least_share: float) -> Samples | None:
    """Correlation of each channel of `want` (rows) with each of `got`, 0 for silent ones; None where little fits."""
    found = _likeness_by_place(want, got, late, least_share)
    return None if found is None or found[2] <= _OWN_SHARE else found[0]


def _likeness_by_place(
    want: Samples, got: Samples, late: float, least_share: float
) -> tuple[Samples, int, float] | None:
    """Correlations around the best place, the place, and the share of `got` it explains; None where it is silent."""
    energies = [np.square(channels).sum(axis=1) for channels in (want, got)]
    if min(energy.max() for energy in energies) < PIECE_SAMPLES * _AUDIBLE**2:
        return None
    reach = round(_SEARCH_S * SOUND_RATE_HZ)
    places = round(late) + np.arange(-reach, reach + 1)
    likeness = _correlations(want, got, places)
    sound = [energy > least_share * energy.max() for energy in energies]
    likeness[~np.outer(*sound)] = 0
    share = (energies[1] / energies[1].sum())[:, None]
    fit = (np.square(likeness).max(axis=0) * share).sum(axis=0)
    best = int((fit - _DOUBT_PER_MS * np.abs(places - late) / SOUND_RATE_HZ * 1e3).argmax())
    around = likeness[..., max(0, best - _APART_SAMPLES) : best + _APART_SAMPLES + 1]
    upright, turned = around.max(axis=-1), around.min(axis=-1)
    swings = np.where(upright >= _AS_ALIKE * -turned, upright, turned)
    return swings, int(places[best]), float(fit[best])


def _order_of(names: list[str], likeness: Samples, heard: NDArray[np.bool_]) -> ChannelOrder:
    own = np.diagonal(likeness)
    others = np.square(likeness - np.diag(own))
    moved = [
        (name, names[int(others[:, place].argmax())])
        for place, name in enumerate(names)
        if heard[place] and others[:, place].max() - own[place] ** 2 > _CLEARLY
    ]
    # All that swing the other way together are heard as what they were.
    usual = 1.0 if own[heard].sum() >= 0 else -1.0
    turned = [name for place, name in enumerate(names) if heard[place] and own[place] * usual < -_CLEARLY]
    return ChannelOrder(tuple(moved), tuple(turned))


def measure_stereo_image(reference: Sound, output: Sound, lag_ms: float, *, least_share: float) -> StereoImage | None:
    """Compare the pieces that both sounds have; None where none of them is audible in both, or the lag is too large.

    Of sounds that have the same channels, more than two, front left and right by themselves: what is mixed into both
    need not be as late as they are. `lag_ms` is how late the output's sound is by the files' own times. What is less
    than `least_share` of the energy of its counterpart, one side of the other or the difference of the sum, is not
    judged.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if abs(late_s) > _FARTHEST_S:
        return None
    wanted, got = reference.pieces, output.pieces
    if _have_front(reference) and _have_front(output):
        wanted, got = ({n: piece[:2] for n, piece in each.channel_pieces.items()} for each in (reference, output))
    found = [
        piece
        for number in sorted(wanted.keys() & got.keys())
        if (piece := _compare(wanted[number], got[number], late_s * SOUND_RATE_HZ, least_share))
    ]
    if not found:
        return None
    return StereoImage(
        alike=_mean([(piece.alike, piece.energy) for piece in found]) or 0.0,
        polarity=_mean([(piece.polarity, piece.energy) for piece in found]),
        sides=_mean([(piece.sides, piece.energy) for piece in found]),
        pieces=len(found),
    )


def _have_front(sound: Sound) -> bool:
    """Whether its first two channels are front left and right, of more."""
    return sound.tracks == 1 and sound.channel_names[:2] == ("FL", "FR")


def _mean(values: list[tuple[float | None, float]]) -> float | None:
    """Weighted mean of the values that there are."""
    known = [(value, weight) for value, weight in values if value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


@dataclass(frozen=True, slots=True)
class _Piece:
    energy: float
    alike: float
    polarity: float | None
    sides: float | None


def _compare(wanted: NDArray[np.float32], found: NDArray[np.float32], late: float, least_share: float) -> _Piece | None:
    """One piece; None where it is too quiet."""
    want, got = wanted.astype(np.float64), found.astype(np.float64)
    want_energy, got_energy = (np.square(sides).sum(axis=1) for sides in (want, got))
    least = 2 * PIECE_SAMPLES * _AUDIBLE**2
    if want_energy.sum() < least or got_energy.sum() < least:
        return None
    reach = round(_SEARCH_S * SOUND_RATE_HZ)
    places = round(late) + np.arange(-reach, reach + 1)
    likeness = _correlations(want, got, places)
    share = (got_energy / got_energy.sum())[:, None]
    own, other = (likeness[rows, (0, 1)] ** 2 * share for rows in ((0, 1), (1, 0)))
    doubt = _DOUBT_PER_MS * np.abs(places - late) / SOUND_RATE_HZ * 1e3
    fit = np.maximum(own.sum(axis=0), other.sum(axis=0))
    best = int((fit - doubt).argmax())
    are_own = own[:, best].sum() > _OWN_SHARE
    both_sound = all(energy.min() >= least_share * energy.max() for energy in (want_energy, got_energy))
    mixes = [_sum_and_difference(sides) for sides in (want, got)]
    differ = all(np.square(mix).sum(axis=1).min() >= least_share * np.square(mix).sum(axis=1).max() for mix in mixes)
    mixed = _correlations(mixes[0], mixes[1], places[best : best + 1])[..., 0]
    return _Piece(
        energy=float(got_energy.sum()),
        alike=float(fit[best]),
        polarity=float(likeness[0, 0, best] * likeness[1, 1, best]) if both_sound and are_own else None,
        sides=float(mixed[0, 0] * mixed[1, 1]) if differ else None,
    )


def best_place(want: Samples, got: Samples, late: float) -> int:
    """By how many samples `got` is late, up to 5 ms around the place expected; shapes (2, `PIECE_SAMPLES`)."""
    reach = round(_SEARCH_S * SOUND_RATE_HZ)
    places = round(late) + np.arange(-reach, reach + 1)
    likeness = _correlations(want, got, places)
    fit = np.square(likeness[(0, 1), (0, 1)]).mean(axis=0)
    return int(places[int((fit - _DOUBT_PER_MS * np.abs(places - late) / SOUND_RATE_HZ * 1e3).argmax())])


def _sum_and_difference(sides: Samples) -> Samples:
    return np.stack([sides[0] + sides[1], sides[0] - sides[1]])


def _correlations(want: Samples, got: Samples, places: NDArray[np.int64]) -> Samples:
    """Correlation of each row of `want` with each of `got`, moved by so many samples, without wrapping."""
    size = 2 * PIECE_SAMPLES
    spectra = [np.fft.rfft(rows, size) for rows in (want, got)]
    products = np.fft.irfft(np.conj(spectra[0])[:, None] * spectra[1][None], size)
    norms = np.sqrt(np.outer(*(np.square(rows).sum(axis=1) for rows in (want, got))) + 1e-12)
    likeness: Samples = products[..., places % size] / norms[..., None]
    return likeness
