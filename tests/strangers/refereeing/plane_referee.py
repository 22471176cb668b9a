"""What only the coded samples tell: where chroma lies, and whether codes span what the tags say."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.chroma_place import Lattice, place_chroma
from tests.strangers.refereeing.opinions import Finding, Opinion, graded
from tests.strangers.stream_facts import StreamFacts, decode_planes

__all__ = [
    "LUMA_WEIGHTS",
    "PairPlanes",
    "Pairs",
    "chroma_recoded",
    "is_centred",
    "judge_even_luma",
    "judge_matrix",
    "judge_range",
    "judge_siting",
    "judge_truncation",
    "planes_of_pairs",
]

Pairs = list[tuple[int, int]]
"""Frames of the output, each with the reference's frame that it shows."""
PairPlanes = tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]
"""Y, Cb and Cr of the reference's frames of some pairs, and of the output's, as they are coded."""

LUMA_WEIGHTS: Final = {601: (0.299, 0.114), 709: (0.2126, 0.0722), 2020: (0.2627, 0.0593)}
"""Weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020)."""
_CHROMA_SPANS: Final = {True: 255.0, False: 224.0}
"""Codes that chroma spans, in full range and in limited range (ITU-T H.273)."""
_RIGHT_RANGE_CODES, _WRONG_RANGE_CODES = 2.0, 4.0
"""Mean difference of block means of luma that another range explains: of even greys it makes 8."""
_RIGHT_UNMOVED_PX, _WRONG_UNMOVED_PX = 0.5, 0.95
"""How far chroma may lie aside where its layout and its stated place stayed: a sample of 4:4:4 is 1."""
_RIGHT_DOWN_PX: Final = 0.65
"""And up or down, anywhere: rows of 4:2:0 lie between two of luma, or on the upper one where another standard says so,
half a pixel away; and filters of two taps put it up to 0.62 lower (MLT, by way of 4:2:2). A row of luma is 1."""
_UNKNOWN_PX: Final = 0.15
"""Standard error from which chroma has no place: the places that are told apart are half a pixel from each other."""
_EXPLAINED_SQUARES: Final = 0.9
"""What a move leaves of the squared difference, at most: what coarse coding adds it does not take away."""
_SHARP_CODES, _SEEN_CODES = 1.0, 0.5
"""Change of chroma to the next column, in codes, that its strongest edges have at least, and below which they have no
place: half a pixel of that is half a code, which nobody sees, or a quarter, which is lost when codes are rounded."""
_EXPLAINED = 0.5
"""Share of it that may be left."""
_RIGHT_MATRIX_CODES, _WRONG_MATRIX_CODES = 0.8, 1.5
"""Mean difference of chroma, in blocks that show it, which another matrix explains."""
_SHOWN_CODES, _FEWEST_SHOWN = 1.0, 40
"""By how much another matrix has to change a block's chroma for it to count, and how many must count: means of blocks
are rounded and coded to a third of a code."""
_RIGHT_GAIN, _WRONG_GAIN, _ALIKE = 0.025, 0.045, 0.9
"""Change of luma's contrast, where blocks of both correlate by as much: coding leaves it to 1%."""
_RANGE_GAIN: Final = 0.06
"""How near the ratio of both ranges a gain is theirs."""
_FEWEST_RANGED, _RANGED_CODES = 200, 8.0
"""Blocks, and the standard deviation of luma over them, from which that is known."""
_RIGHT_EVENLY, _WRONG_EVENLY = 0.45, 1.8
"""By how many codes nearly all levels of luma are off in one direction: truncation is half a code. Validation promises
to name 0.28 codes in flat colours, and 1.5 in any content; whether there are such colours decides between."""
_RIGHT_CUT_OFF, _WRONG_CUT_OFF, _LEAST_OF_ONE = 0.15, 0.33, 0.1
"""By how many codes all components are too low on average, and each of them at least: 10 bits that are cut off at 8
make 0.375 of all, and less of chroma that is grey, or was made of two rows. What rounds is off by less than 0.03."""
_MOST_OF_LOST: Final = 1.5
"""By how much more a component may be too low than the bits are worth that were cut off, on average."""
_CLIPPED: Final = 2.0
"""Difference of a block, in codes, that counts at most in such a mean."""
_EVENLY_SHARE: Final = 0.1
"""Of the levels, which may be off by less: coding is off by chance where there are few blocks."""
_LEVEL_CODES, _FEWEST_OF_LEVEL, _FEWEST_LEVELS = 8, 30, 5
"""Codes that are one level, the blocks that it must have, and how many such levels tell."""
_BLOCK: Final = 8
"""Side of blocks in samples of luma."""


def planes_of_pairs(reference: StreamFacts, output: StreamFacts, pairs: Pairs) -> PairPlanes | None:
    """What the judges below look at, decoded once; None where there are no pairs, or samples of another kind."""
    if not pairs:
        return None
    wanted, found = (decode_planes(facts, [pair[at] for pair in pairs]) for at, facts in ((1, reference), (0, output)))
    return (wanted, found) if wanted and found else None


def _turned_alike(reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None) -> PairPlanes | None:
    """Planes of the reference turned as the output's are coded, and those; None where their sizes are others then."""
    if decoded is None:
        return None
    want = [_turned(plane, reference, output) for plane in decoded[0]]
    return (want, decoded[1]) if want[0].shape == decoded[1][0].shape else None


def _turned(plane: NDArray[np.float32], reference: StreamFacts, output: StreamFacts) -> NDArray[np.float32]:
    """The reference's planes as they are seen, and that as the output's are coded: by its turn and mirror undone."""
    seen = np.rot90(plane, reference.rotation // 90 % 4, axes=(1, 2))
    if reference.is_mirrored != output.is_mirrored:
        seen = seen[:, :, ::-1]
    return np.rot90(seen, -(output.rotation // 90) % 4, axes=(1, 2))


def judge_siting(
    reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None, figures: dict[str, float]
) -> list[Finding]:
    """Whether chroma lies where the output says, measured where its layout or its stated place changed."""
    layouts = [each.chroma_layout or "" for each in (reference, output)]
    is_turned = reference.rotation % 360 != 0 or reference.is_mirrored
    is_changed = layouts[0] != layouts[1] or is_centred(reference) != is_centred(output) or is_turned
    if reference.display != output.display or output.rotation != 0 or output.is_mirrored or decoded is None:
        return []
    luma, *want = (
        _turned(plane, reference, output) for plane in (decoded[0][0], *chroma_recoded(reference, output, decoded[0]))
    )
    size = (int(luma.shape[1]), int(luma.shape[2]))
    if size != decoded[1][0].shape[1:]:
        return []  # pixels of another shape
    lattices = _lattice(reference, want[0], size), _lattice(output, decoded[1][1], size)
    place = place_chroma(want, decoded[1][1:], lattices, size)
    # Chroma moves where more or fewer columns are made of it, where the picture is turned, and to where another place
    # is stated.
    is_moved = "444" in layouts or is_turned or is_centred(reference) != is_centred(output)
    if place is None or place.across_error_px > _UNKNOWN_PX:
        is_seen = place is None or place.steepest >= _SEEN_CODES
        doubt = Finding("siting", Opinion.DOUBTFUL, "too little colour to place chroma by")
        return [doubt] if is_moved and is_seen else []
    figures.update(chroma_shift_px=place.across_px, chroma_down_px=place.down_px)
    # Chroma of every column that filters make, or leave, is one thing: VP9 and FFV1 have no place to state where it is,
    # what writes AV1 leaves it open, and where R'G'B' is made half a pixel lies between two filters.
    is_open = (output.codec in {"vp8", "vp9", "av1", "ffv1"} and output.chroma_location is None) or output.is_rgb
    is_explained = place.left <= _EXPLAINED_SQUARES
    is_soft = place.steepest < _SHARP_CODES
    # Where no place fits much better than its own, as where coding left another chroma, or that of a frame before, the
    # best of them is not known to be one.
    sure_px = np.inf if not is_explained else 1.1 if is_open or is_soft else 0.4
    across = (0.15, sure_px) if is_changed else (_RIGHT_UNMOVED_PX, _WRONG_UNMOVED_PX if is_explained else np.inf)
    down = (_RIGHT_DOWN_PX, _WRONG_UNMOVED_PX if is_explained else np.inf)
    found: list[Finding] = []
    for off, error, limits, message in (
        (place.across_px, place.across_error_px, across, "px aside of its place"),
        (place.down_px, place.down_error_px, down, "px below its place"),
    ):
        if error <= _UNKNOWN_PX and (is_explained or is_changed):
            found += graded("siting", abs(off) - error, *limits, f"chroma lies {off:+.2f} {message}")
    return found


def chroma_recoded(
    reference: StreamFacts, output: StreamFacts, planes: list[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Cb and Cr of the reference as codes of the output's matrix and range, both as their tags are read."""
    matrices = reference.matrix_by_rule(), output.matrix_by_rule()
    return _recoded(planes, matrices, (reference.full_range, output.full_range))


def _recoded(
    planes: list[NDArray[np.float32]], matrices: tuple[int, int], full: tuple[bool, bool]
) -> list[NDArray[np.float32]]:
    """Cb and Cr brought from one matrix and range to another."""
    (kr, kb), (other_kr, other_kb) = (LUMA_WEIGHTS[each] for each in matrices)
    span, other_span = (_CHROMA_SPANS[each] for each in full)
    blue, red = ((plane - 128) / span * 2 * (1 - k) for plane, k in zip(planes[1:], (kb, kr), strict=True))
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    # Differences from luma, of which there is this much more in the other matrix.
    more = other_kr * red + (1 - other_kr - other_kb) * green + other_kb * blue
    return [128 + other_span * (part - more) / (2 * (1 - k)) for part, k in ((blue, other_kb), (red, other_kr))]


def judge_range(
    reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None, figures: dict[str, float]
) -> list[Finding]:
    """Whether luma spans the codes that the tags say, as its reference does.

    Pictures of strong colours hardly show it: R'G'B' is clipped, and its means stay what they were.
    """
    decoded = _turned_alike(reference, output, decoded)
    if decoded is None:
        return []
    want, got = _luma_in_matrix(reference, output, decoded[0]), _blocks(decoded[1][0])
    if want.size < _FEWEST_RANGED or float(want.std()) < _RANGED_CODES:
        return []
    return _judge_contrast(reference, output, want, got) or _judge_span(reference, output, want, got, figures)


def judge_even_luma(
    reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None, figures: dict[str, float]
) -> list[Finding]:
    """Whether luma is darker or brighter by as much at nearly all levels, however little that is."""
    decoded = _turned_alike(reference, output, decoded)
    if decoded is None or reference.full_range != output.full_range or reference.is_rgb or output.is_rgb:
        return []
    want, got = _luma_in_matrix(reference, output, decoded[0]).ravel(), _blocks(decoded[1][0]).ravel()
    level = (want // _LEVEL_CODES).astype(np.int64)
    counts, sums = np.bincount(level), np.bincount(level, weights=got - want)
    known = counts >= _FEWEST_OF_LEVEL
    if int(known.sum()) < _FEWEST_LEVELS:
        return []
    off = sums[known] / counts[known]
    evenly = max(float(np.quantile(off, _EVENLY_SHARE)), -float(np.quantile(off, 1 - _EVENLY_SHARE)))
    figures["evenly_off_codes"] = evenly
    message = f"luma is off by {evenly:.2f} codes at nearly all levels"
    return graded("colour", evenly, _RIGHT_EVENLY, _WRONG_EVENLY, message)


def judge_truncation(
    reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None, figures: dict[str, float]
) -> list[Finding]:
    """Whether all three components are lower by as much as codes that are cut off instead of rounded.

    Of 10 bits that became 8 it is 0.375 of a code, of more bits half a code. Coding errs in both directions.
    """
    decoded = _turned_alike(reference, output, decoded)
    spans = [(each.matrix_by_rule(), each.full_range, each.is_rgb) for each in (reference, output)]
    # Full-range codes of more bits are no multiples of those of fewer.
    is_stretched = reference.full_range and reference.bits != output.bits
    if decoded is None or spans[0] != spans[1] or reference.is_rgb or is_stretched:
        return []
    luma = _blocks(decoded[1][0]).ravel() - _blocks(decoded[0][0]).ravel()
    chroma = _chroma_blocks(decoded[1]) - _chroma_blocks(decoded[0])
    if luma.size < _FEWEST_RANGED:
        return []
    levels = np.bincount(decoded[0][0].ravel().astype(np.int64))
    # What moved, and what coding left out, is off by more than anything is cut off.
    off = [float(np.clip(each, -_CLIPPED, _CLIPPED).mean()) for each in (luma, *chroma.T)]
    if max(off) > -_LEAST_OF_ONE:
        return []
    figures["cut_off_codes"] = lower = -float(np.mean(off))
    message = f"Y, Cb and Cr are {lower:.2f} codes too low on average, as if cut off instead of rounded"
    # Nothing but the bits that are not kept can be cut off: luma that lacks much more is darker for another reason,
    # such as a way through R'G'B'. And of single colours one in forty is rounded down in all three.
    lost = [float((plane - np.floor(plane)).mean()) if reference.bits > output.bits else 0.5 for plane in decoded[0]]
    is_explained = all(-each <= _MOST_OF_LOST * most for each, most in zip(off, lost, strict=True))
    is_known = is_explained and int((levels >= _FEWEST_OF_LEVEL).sum()) >= _FEWEST_LEVELS
    return graded("colour", lower, _RIGHT_CUT_OFF, _WRONG_CUT_OFF if is_known else np.inf, message)


def _judge_contrast(
    reference: StreamFacts, output: StreamFacts, want: NDArray[np.float32], got: NDArray[np.float32]
) -> list[Finding]:
    """Luma that is stretched or squeezed, as far as both regressions agree: lost detail lowers one of them alone.

    Detail that is fainter, but not lost, lowers both: what a coarse encoder's loop filter makes of fine rings is 0.91
    of them. Then the gain is the lesser part of what blocks are off by, and nobody can say that it is one.
    """
    meant = _ranged(want, (reference.full_range, output.full_range)).ravel()
    a, b = (each - each.mean() for each in (meant.astype(np.float64), got.ravel().astype(np.float64)))
    product, energies = float(a @ b), (float(a @ a), float(b @ b))
    if product <= _ALIKE * np.sqrt(energies[0] * energies[1]):
        return []
    slopes = sorted((product / energies[0], energies[1] / product))
    gain = min(max(1.0, slopes[0]), slopes[1])
    message = f"luma has {gain:.0%} of its contrast"
    # Another range is named as that.
    is_range = min(abs(gain - 219 / 255), abs(gain - 255 / 219)) < _RANGE_GAIN
    if reference.is_rgb or output.is_rgb:  # which clips codes beyond it
        return []
    off, rest = (float(np.square(b - each * a).mean()) for each in (1.0, gain))
    wrong = _WRONG_GAIN if rest < _EXPLAINED * off else np.inf
    return [] if is_range else graded("colour", abs(gain - 1), _RIGHT_GAIN, wrong, message)


def _judge_span(
    reference: StreamFacts,
    output: StreamFacts,
    want: NDArray[np.float32],
    got: NDArray[np.float32],
    figures: dict[str, float],
) -> list[Finding]:
    offs = {
        ranges: float(np.abs(_ranged(want, ranges) - got).mean())
        for ranges in ((False, False), (False, True), (True, False))
    }
    stated = (reference.full_range, output.full_range) if reference.full_range != output.full_range else (False, False)
    best = min(offs, key=lambda each: offs[each])
    figures["range_codes"] = offs[stated]
    if best == stated or offs[best] > _EXPLAINED * offs[stated]:
        return []
    message = f"luma is off by {offs[stated]:.1f} codes, and by {offs[best]:.1f} had its range been another"
    return graded("colour", offs[stated], _RIGHT_RANGE_CODES, _WRONG_RANGE_CODES, message)


def _luma_in_matrix(
    reference: StreamFacts, output: StreamFacts, planes: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Means of luma over blocks of the reference's planes, in the output's matrix and the reference's own range.

    Luma of a strong red is 27% of its span in BT.601 and 17% in BT.709, so that colours have another contrast there.
    """
    luma = _blocks(planes[0])
    (kr, kb), (other_kr, other_kb) = (LUMA_WEIGHTS[each.matrix_by_rule()] for each in (reference, output))
    if (kr, kb) == (other_kr, other_kb) or reference.is_rgb or output.is_rgb:
        return luma
    span = _CHROMA_SPANS[reference.full_range]
    blue, red = ((part - 128) / span * 2 * (1 - k) for part, k in zip(_chroma_blocks(planes).T, (kb, kr), strict=True))
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    more = other_kr * red + (1 - other_kr - other_kb) * green + other_kb * blue
    moved: NDArray[np.float32] = luma + (255 if reference.full_range else 219) * more.reshape(luma.shape)
    return moved


def judge_matrix(
    reference: StreamFacts, output: StreamFacts, decoded: PairPlanes | None, figures: dict[str, float]
) -> list[Finding]:
    """Whether codes of chroma are those of the matrices by which both files are read, however faint the colours are.

    Codes that stayed what they were, where the files say that they mean something else, are another matrix.
    """
    decoded = _turned_alike(reference, output, decoded)
    if decoded is None:
        return []
    coded, got = decoded[0], _chroma_blocks(decoded[1])
    stated = (reference.matrix_by_rule(), output.matrix_by_rule())

    def expected(matrices: tuple[int, int]) -> NDArray[np.float32]:
        planes = _recoded(coded, matrices, (reference.full_range, output.full_range))
        return _chroma_blocks([coded[0], *planes])

    want = expected(stated)
    if want.shape != got.shape:  # sides that are rounded otherwise
        return []
    best, off_at_best, rest_at_best = None, 0.0, np.inf
    for matrices in {(stated[0], each) for each in LUMA_WEIGHTS} | {(each, stated[1]) for each in LUMA_WEIGHTS}:
        tried = expected(matrices)
        shows = np.abs(tried - want).max(axis=-1) >= _SHOWN_CODES
        if int(shows.sum()) < _FEWEST_SHOWN:
            continue
        off, rest = (float(np.abs(each[shows] - got[shows]).mean()) for each in (want, tried))
        if rest < _EXPLAINED * off and rest / off < rest_at_best / (off_at_best or 1):
            best, off_at_best, rest_at_best = matrices, off, rest
    if best is None:
        return []
    figures["matrix_codes"] = off_at_best
    message = f"where another matrix shows, chroma is off by {off_at_best:.1f} codes, and by {rest_at_best:.1f} by it"
    return graded("colour", off_at_best, _RIGHT_MATRIX_CODES, _WRONG_MATRIX_CODES, message)


def _chroma_blocks(planes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Means of Cb and Cr over blocks of 8x8 pixels, shape (blocks, 2)."""
    across, down = (-(-a // b) for a, b in zip(planes[0].shape[:0:-1], planes[1].shape[:0:-1], strict=True))
    rows, columns = (side // _BLOCK for side in planes[0].shape[1:])
    means = []
    for plane in planes[1:]:
        cut = plane[:, : rows * _BLOCK // down, : columns * _BLOCK // across]
        means.append(cut.reshape(len(cut), rows, _BLOCK // down, columns, _BLOCK // across).mean(axis=(2, 4)).ravel())
    blocks: NDArray[np.float32] = np.stack(means, axis=-1)
    return blocks


def _blocks(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    count, rows, columns = luma.shape
    rows, columns = rows // _BLOCK, columns // _BLOCK
    cut = luma[:, : rows * _BLOCK, : columns * _BLOCK].reshape(count, rows, _BLOCK, columns, _BLOCK)
    means: NDArray[np.float32] = cut.mean(axis=(2, 4))
    return means


def _ranged(codes: NDArray[np.float32], ranges: tuple[bool, bool]) -> NDArray[np.float32]:
    """Codes of luma brought from one range to another, each said by whether it is the full one."""
    black, span = (0, 255) if ranges[0] else (16, 219)
    other_black, other_span = (0, 255) if ranges[1] else (16, 219)
    changed: NDArray[np.float32] = other_black + (codes - black) * np.float32(other_span / span)
    return changed


def _lattice(facts: StreamFacts, chroma: NDArray[np.float32], size: tuple[int, int]) -> Lattice:
    """Where a plane's samples lie once the picture, then `size` high and wide, is seen as it is shown."""
    _, rows, columns = chroma.shape
    turn = facts.rotation % 360
    first_row, first_column = _first_row(facts), _first_column(facts)
    if turn % 180:
        first_row, first_column = first_column, first_row
    return Lattice(
        _spaced(rows, size[0], first_row, is_reversed=turn in {90, 180}),
        _spaced(columns, size[1], first_column, is_reversed=(turn in {180, 270}) != facts.is_mirrored),
    )


def _spaced(count: int, side: int, first: float, *, is_reversed: bool) -> NDArray[np.float64]:
    if count == side:
        return np.arange(side, dtype=np.float64)
    places = np.arange(count, dtype=np.float64) * 2 + first
    return (side - 1 - places)[::-1] if is_reversed else places


def _first_column(facts: StreamFacts) -> float:
    return 0.5 if is_centred(facts) else 0.0


def _first_row(facts: StreamFacts) -> float:
    """Of 4:2:0 it lies between two of luma, unless it is said to lie on one of them (ITU-T H.273, 8.7)."""
    place = facts.chroma_location or ""
    return 0.0 if place.startswith("top") else 1.0 if place.startswith("bottom") else 0.5


def is_centred(facts: StreamFacts) -> bool:
    """Whether chroma lies between two columns of luma."""
    # JFIF 1.02 puts chroma between the pixels; what says nothing means left.
    return facts.chroma_location in {"center", "top", "bottom"} or facts.codec == "mjpeg"
