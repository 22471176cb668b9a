"""Is an output right? Judged by ffprobe's facts and a plain comparison of what ffmpeg decodes.

Shares no code with capbench. It says `right` or `wrong` only where that is beyond dispute, and `doubtful` between: a
validator that draws its line anywhere in that band is not to be blamed.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.foreign_exporters import Request
from tests.strangers.refereeing.coarse_coding import figures_of_coarse_coding
from tests.strangers.refereeing.neighbour_pictures import judge_neighbours
from tests.strangers.refereeing.opinions import Finding, Judgement, Opinion, graded
from tests.strangers.refereeing.other_rates import judge_lateness, judge_length, rounding_of_first
from tests.strangers.refereeing.plane_referee import (
    LUMA_WEIGHTS,
    Pairs,
    judge_even_luma,
    judge_matrix,
    judge_range,
    judge_siting,
    judge_truncation,
    planes_of_pairs,
)
from tests.strangers.refereeing.sound_referee import judge_sound
from tests.strangers.stream_facts import (
    StreamFacts,
    decode_pictures,
    picture_size,
)

__all__ = ["judge"]


_MATCH_SHARE: Final = 0.75
"""A frame that differs less than this share from a neighbour than from its own counterpart shows the neighbour."""
_MATCH_CODES: Final = 0.6
"""And by at least this much: coding noise averaged over a picture's blocks is below 0.3 where coding is not coarse."""
_TOLD_SHARE: Final = 0.5
"""Or by this share of what frames are off anyway: a coarse coder that copies the frame before, and adds little, is
nearer to it by up to a quarter of that."""
_AS_ALIKE: Final = 1.25
"""Up to so many times what frames are off anyway, a frame is another's picture: one that was left half way between two,
by a coder that ran out of bits, is farther from both."""
_STEP_CODES: Final = 6.0
"""By how much the two pictures differ in the block where they do most: as a flash dies away frames differ by less at
last, and x264 leaves out 5 codes of a flat block at a middle quality."""
_BLOCK: Final = 8
"""Side of the blocks whose means are compared, in compared pixels."""
_RIGHT_BIAS, _WRONG_BIAS = 1.3, 3.0
"""Mean of a component over the clip, in codes of R'G'B': a wrong matrix or range on coloured pictures is 3 and more."""
_RIGHT_MIX, _WRONG_MIX = 0.035, 0.06
"""Largest coefficient of one component in another, by least squares over blocks: BT.601 for BT.709 gives 0.08 and
more, a coarse encoder 0.02."""
_FEWEST_MIXED, _MIXED_CODES = 300, 12.0
"""Blocks, and standard deviation of colours in a direction of the three components from which that is known there."""
_FAINTEST_OFF_CODES, _EXPLAINED = 0.3, 0.5
"""Mean difference of blocks from which another matrix is tried, and the share of it, or of squares, that it must leave:
rounding alone is 0.2, and no matrix explains what coding adds."""
_RIGHT_BLOCKS, _WRONG_BLOCKS = 3.0, 6.0
"""Mean absolute difference of block means, in codes."""
_RIGHT_PSNR, _WRONG_PSNR = 26.0, 19.0
"""Of R'G'B' at the compared size, in dB: the lowest quality asked for here is at 27."""
_FINE_PSNR: Final = 36.0
"""From which nothing is laid to coarse coding: below it that moves means of colours, too."""
_RIGHT_WORST, _WRONG_WORST = 40.0, 75.0
"""Largest difference of a block's mean in any frame, in codes."""
_NEAR_FRAMES: Final = 2
"""Frames of the slower rate around its time in which the picture that is shown is looked for: how late it is, is judged
by itself."""
_UNTIMED_FRAMES: Final = 3
"""The same where the reference has no times: AVI with B-frames holds its
first picture for as many as frames are coded ahead."""
_SITED_PAIRS: Final = 12
"""Pictures by which chroma is placed, about."""


_SEVERITY: Final = (Opinion.RIGHT, Opinion.DOUBTFUL, Opinion.WRONG)


def judge(reference: StreamFacts, output: StreamFacts, request: Request) -> Judgement:
    """Compare an output with what it was made from. Raises `ToolError` where ffmpeg cannot decode either.

    A source whose coded pictures and container state different colours may be read by either: ffmpeg and browsers go by
    the pictures, GStreamer and MLT by the container. What is right by the container alone is doubtful.
    """
    found = _judge_as_read(reference, output, request)
    if not reference.contradicts_itself or found.opinion is Opinion.RIGHT:
        return found
    other = _judge_as_read(reference.as_the_container_says(), output, request)
    if _SEVERITY.index(other.opinion) >= _SEVERITY.index(found.opinion):
        return found
    message = f"right by the container of a source that contradicts itself; else: {found.findings[0].message}"
    return replace(other, findings=(*other.findings, Finding("colour", Opinion.DOUBTFUL, message)))


def _judge_as_read(reference: StreamFacts, output: StreamFacts, request: Request) -> Judgement:
    figures: dict[str, float] = {}
    planes = planes_of_pairs(reference, output, _some_pairs(reference, output, request))
    findings = [
        *_damage(reference, output),
        *_tags(reference, output),
        *_depth(reference, output, request),
        *_geometry(reference, output, request),
        *_times(reference, output, request, figures),
        *_pictures(reference, output, request, figures),
        *judge_matrix(reference, output, planes, figures),
        *judge_range(reference, output, planes, figures),
        *judge_even_luma(reference, output, planes, figures),
        *judge_truncation(reference, output, planes, figures),
        *judge_siting(reference, output, planes, figures),
        *judge_sound(reference, output, figures, rounding=rounding_of_first(reference, request.rate)),
    ]
    return Judgement(tuple(findings), figures)


def _damage(reference: StreamFacts, output: StreamFacts) -> list[Finding]:
    if not output.complaints:
        return []
    opinion = Opinion.DOUBTFUL if reference.complaints else Opinion.WRONG
    return [Finding("damage", opinion, f"ffmpeg complains: {output.complaints.splitlines()[0][:160]}")]


def _tags(reference: StreamFacts, output: StreamFacts) -> list[Finding]:
    is_copied = (output.matrix, output.container_matrix, output.full_range, output.container_full_range) == (
        reference.matrix,
        reference.container_matrix,
        reference.full_range,
        reference.container_full_range,
    )
    if output.contradicts_itself and not is_copied:
        places = [
            f"{each.matrix_by_rule()}, {'full' if each.full_range else 'limited'}"
            for each in (output, output.as_the_container_says())
        ]
        return [Finding("tags", Opinion.WRONG, f"the bitstream says {places[0]}, the container {places[1]}")]
    if output.other_colours and output.other_colours != reference.other_colours:
        said = ", ".join(output.other_colours)
        return [Finding("tags", Opinion.WRONG, f"the bitstream and the container say {said}")]
    is_stated = bool(output.matrix or output.container_matrix)
    # What JFIF and VP8 mean is stated nowhere in a file, although ffprobe says it.
    is_implied = (
        reference.codec in {"mjpeg", "vp8"}
        and not reference.container_matrix
        and reference.matrix_by_rule() == output.matrix_by_rule()
    )
    if (
        not (reference.matrix or reference.container_matrix)
        or is_implied
        or is_stated
        or output.pixel_format.startswith(("gbr", "rgb", "bgr"))
    ):
        return []
    return [Finding("tags", Opinion.WRONG, f"the matrix is not stated; the reference states {reference.matrix}")]


def _depth(reference: StreamFacts, output: StreamFacts, request: Request) -> list[Finding]:
    if output.bits >= (request.bits or reference.bits):
        return []
    # Whether eight bits are a fault where nobody asked for ten is for the user to say.
    return [Finding("depth", Opinion.DOUBTFUL, f"{output.bits} bits instead of {reference.bits}")]


def _geometry(reference: StreamFacts, output: StreamFacts, request: Request) -> list[Finding]:
    wanted = request.size or reference.display
    off = max(abs(a - b) for a, b in zip(wanted, output.display, strict=True))
    # One is the odd side that 4:2:0 cannot have; where the aspect is not 1 it is rounded twice.
    right = 1 if reference.sample_aspect == 1 else 2
    return graded("geometry", off, right, right + 2, f"shown as {output.display} instead of {wanted}")


def _times(reference: StreamFacts, output: StreamFacts, request: Request, figures: dict[str, float]) -> list[Finding]:
    starts = [frame.start_s - output.frames[0].start_s for frame in output.frames]
    steps = [after - before for before, after in itertools.pairwise(starts)]
    if any(step <= 0 for step in steps):
        return [Finding("times", Opinion.WRONG, "time stamps do not increase")]
    tick_s = max(_rounding(reference), output.time_base)
    if request.rate is not None:
        worst = max((abs(step - 1 / request.rate) for step in steps), default=Fraction(0))
        figures["step_error_ms"] = float(worst) * 1e3
        uneven = graded(
            "times",
            float(worst),
            float(output.time_base) * 1.01,
            float(output.time_base) * 2 + 1e-3,
            f"a step is off by {float(worst) * 1e3:.2f} ms",
        )
        return uneven + judge_length(reference, output)
    if reference.frame_count != output.frame_count:
        return []  # the pictures say what is missing
    wanted = [frame.start_s - reference.frames[0].start_s for frame in reference.frames]
    worst = max((abs(a - b) for a, b in zip(starts, wanted, strict=True)), default=Fraction(0))
    figures["time_error_ms"] = float(worst) * 1e3
    found = graded(
        "times",
        float(worst),
        float(tick_s) * 1.01,
        float(tick_s) * 1.5 + 1.5e-3,
        f"a frame is shown {float(worst) * 1e3:.2f} ms off, a tick is {float(tick_s) * 1e3:.2f} ms",
    )
    return found + _last_hold(reference, output)


def _rounding(reference: StreamFacts) -> Fraction:
    """What the times of its frames may be off by: a tick, but where they are as many ticks apart throughout.

    AVI's tick is a frame: nothing was rounded to it, and an output that is half a tick off is not in time.
    """
    steps = {after.start_s - before.start_s for before, after in itertools.pairwise(reference.frames)}
    is_even = reference.is_timed and len(steps) == 1 and reference.frame_count > 2
    return Fraction(0) if is_even else reference.time_base


def _last_hold(reference: StreamFacts, output: StreamFacts) -> list[Finding]:
    ends = reference.end_s, output.end_s
    if ends[0] is None or ends[1] is None:
        return []
    off, step = abs(ends[0] - ends[1]), 1 / reference.rate
    return graded(
        "times",
        float(off),
        float(step) * 1.2,
        float(step) * 3,
        f"the last frame ends after {float(ends[1]):.3f} s instead of {float(ends[0]):.3f} s",
    )


def _pictures(
    reference: StreamFacts, output: StreamFacts, request: Request, figures: dict[str, float]
) -> list[Finding]:
    size = picture_size(output)
    if max(abs(a / b - 1) for a, b in zip(reference.display, output.display, strict=True)) > 0.03 and not request.size:
        return []  # another shape: the geometry says so
    want, got = _both_pictures(reference, output, size)
    matches, found = _matching(reference, output, request, want=want, got=got, figures=figures)
    pairs = [(index, match) for index, match in enumerate(matches) if match is not None]
    if not pairs:
        return found
    worst_at = _differences(want, got, pairs, figures, is_scaled=request.size is not None)
    differences = _graded_differences(figures, worst_at)
    is_coarse = figures["psnr_db"] < _FINE_PSNR and any(each.opinion is Opinion.WRONG for each in differences)
    if is_coarse and request == Request(bits=request.bits):

        def measure(coded: StreamFacts) -> dict[str, float]:
            known: dict[str, float] = {}
            shown = decode_pictures(coded, size)
            both = [(index, index) for index in range(min(len(want), len(shown)))]
            _differences(want, shown, both, known, is_scaled=False)
            return known

        differences = _graded_differences(figures, worst_at, figures_of_coarse_coding(reference, output, measure))
    return [*found, *differences, *_faint_matrix(_means_of_some(want, got, pairs))]


def _both_pictures(
    reference: StreamFacts, output: StreamFacts, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All pictures of both in that size. An odd side, which 4:2:0 cannot have, is cut, filled up or scaled by one.

    None of these is wrong, so both are scaled, and what both have is, and that counts which is more alike.
    """
    scaled = decode_pictures(reference, size), decode_pictures(output, size)
    off = max(abs(a - b) for a, b in zip(reference.display, output.display, strict=True))
    if off != 1 or reference.sample_aspect != 1 or output.sample_aspect != 1:
        return scaled
    kept = min(reference.display[0], output.display[0]), min(reference.display[1], output.display[1])
    cut = decode_pictures(reference, size, kept), decode_pictures(output, size, kept)
    count = min(map(len, scaled))
    offs = [
        float(np.abs(_block_means(want[:count:5]) - _block_means(got[:count:5])).mean()) for want, got in (scaled, cut)
    ]
    return cut if offs[1] < offs[0] else scaled


def _means_of_some(
    want: NDArray[np.uint8], got: NDArray[np.uint8], pairs: list[tuple[int, int]]
) -> list[NDArray[np.float32]]:
    """Means of blocks of every fifth pair: of the reference, and of the output."""
    some = pairs[::5]
    return [_block_means(want[[match for _, match in some]]), _block_means(got[[index for index, _ in some]])]


def _block_means(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of blocks, shape (frames, rows, columns, 3)."""
    count, height, width, _ = pictures.shape
    side = min(_BLOCK, height, width)
    rows, columns = height // side, width // side
    cut = pictures[:, : rows * side, : columns * side].reshape(count, rows, side, columns * side * 3)
    # Whole lines are added up first, as whole numbers: means over two axes at once take twenty times as long.
    lines = cut.sum(axis=2, dtype=np.uint16).reshape(count, rows, columns, side, 3)
    means: NDArray[np.float32] = lines.sum(axis=3, dtype=np.uint32).astype(np.float32) / np.float32(side * side)
    return means


def _matching(
    reference: StreamFacts,
    output: StreamFacts,
    request: Request,
    *,
    want: NDArray[np.uint8],
    got: NDArray[np.uint8],
    figures: dict[str, float],
) -> tuple[list[int | None], list[Finding]]:
    """Reference frame of each output frame, and what is wrong with that."""
    wanted, found = _block_means(want), _block_means(got)
    if request.rate is not None:
        return _by_time(reference, output, wanted, found), judge_lateness(reference, output, wanted, found)
    if len(wanted) == len(found):
        places = _judge_places(wanted, found, figures)
        is_told = any(each.opinion is Opinion.WRONG for each in places)
        return list(range(len(found))), places if is_told else [*judge_neighbours(want, got), *places]
    message = f"{len(found)} frames instead of {len(wanted)}"
    return _by_time(reference, output, wanted, found), [Finding("frames", Opinion.WRONG, message)]


def _judge_places(wanted: NDArray[np.float32], found: NDArray[np.float32], figures: dict[str, float]) -> list[Finding]:
    """Of as many frames: those that show the picture of one up to three frames away, by means of blocks."""
    alike = [
        {
            other: float(np.abs(found[index] - wanted[other]).mean())
            for other in range(max(0, index - 3), min(len(wanted), index + 4))
        }
        for index in range(len(found))
    ]
    noise = float(np.median([min(codes.values()) for codes in alike])) if alike else 0.0
    moved, doubtful = [], []
    for index, codes in enumerate(alike):
        own, near = codes[index], min(codes.values())
        other = min(codes, key=lambda each: codes[each])
        is_seen = float(np.abs(wanted[other] - wanted[index]).mean(axis=-1).max()) >= _STEP_CODES
        is_told = own - near > max(_MATCH_CODES, _TOLD_SHARE * noise) and near < _MATCH_SHARE * own
        if is_told and is_seen and near <= _AS_ALIKE * noise + _MATCH_CODES / 3:
            moved.append(index)
        elif own - near > _MATCH_CODES / 3 and near < 0.9 * own:
            doubtful.append(index)
    figures["moved_frames"] = len(moved)
    if moved:
        return [Finding("frames", Opinion.WRONG, f"frame {moved[0]} shows another frame's picture")]
    if doubtful:
        return [Finding("frames", Opinion.DOUBTFUL, f"frame {doubtful[0]} may show another's picture")]
    return []


def _by_time(
    reference: StreamFacts, output: StreamFacts, wanted: NDArray[np.float32], found: NDArray[np.float32]
) -> list[int | None]:
    """The most alike of the reference frames that are shown at about the same time."""
    origin, start = reference.frames[0].start_s, output.frames[0].start_s
    slack = max(1 / reference.rate, 1 / output.rate) * (_NEAR_FRAMES if reference.is_timed else _UNTIMED_FRAMES)
    times = [frame.start_s - origin for frame in reference.frames]
    matches: list[int | None] = []
    for index, frame in enumerate(output.frames[: len(found)]):
        now = frame.start_s - start
        near = [n for n, time in enumerate(times[: len(wanted)]) if abs(time - now) <= slack]
        alike = {n: float(np.abs(found[index] - wanted[n]).mean()) for n in near}
        matches.append(min(alike, key=lambda n: alike[n]) if alike else None)
    return matches


def _differences(
    want: NDArray[np.uint8],
    got: NDArray[np.uint8],
    pairs: list[tuple[int, int]],
    figures: dict[str, float],
    *,
    is_scaled: bool,
) -> int:
    """Figures of the pictures that belong together; answers which frame has the worst block."""
    squared, signed, blocks, worst, worst_at = [], [], [], 0.0, 0
    figures["mixed_share"] = _mixing(_means_of_some(want, got, pairs))
    for index, match in pairs:
        difference = got[index].astype(np.float32) - want[match].astype(np.float32)
        squared.append(float((difference**2).mean()))
        signed.append(difference.mean(axis=0).mean(axis=0))
        means = np.abs(_block_means(got[index : index + 1]) - _block_means(want[match : match + 1]))
        blocks.append(float(means.mean()))
        if (largest := float(means.mean(axis=-1).max())) > worst:
            worst, worst_at = largest, index
    if is_scaled:
        # Resampling filters differ at edges, and none of them is wrong.
        squared = [value / 10 for value in squared]
    psnr = 10 * float(np.log10(255**2 / max(1e-3, float(np.mean(squared)))))
    bias = float(np.abs(np.mean(signed, axis=0)).max())
    block = float(np.mean(blocks))
    figures.update(psnr_db=psnr, bias_codes=bias, block_codes=block, worst_block_codes=worst)
    return worst_at


def _graded_differences(
    figures: dict[str, float], worst_at: int, coarse: dict[str, float] | None = None
) -> list[Finding]:
    """Colour, damage and quality. What is no farther off than `coarse` is not wrong beyond dispute."""
    coarse = coarse or {}
    psnr, bias, mixed = figures["psnr_db"], figures["bias_codes"], figures["mixed_share"]
    block, worst = figures["block_codes"], figures["worst_block_codes"]

    def wrong(limit: float, name: str) -> float:
        return max(limit, coarse.get(name, limit))

    wrong_psnr = min(_WRONG_PSNR, coarse.get("psnr_db", _WRONG_PSNR))
    mixing = f"{mixed:.1%} of a component is in another: another matrix"
    return [
        *graded("picture", -psnr, -_RIGHT_PSNR, -wrong_psnr, f"PSNR is {psnr:.1f} dB"),
        *graded(
            "colour",
            bias,
            _RIGHT_BIAS,
            wrong(_WRONG_BIAS, "bias_codes"),
            f"a component is off by {bias:.1f} codes on average",
        ),
        *graded("colour", mixed, _RIGHT_MIX, wrong(_WRONG_MIX, "mixed_share"), mixing),
        *graded(
            "colour",
            block,
            _RIGHT_BLOCKS,
            wrong(_WRONG_BLOCKS, "block_codes"),
            f"blocks are off by {block:.1f} codes on average",
        ),
        *graded(
            "picture",
            worst,
            _RIGHT_WORST,
            wrong(_WRONG_WORST, "worst_block_codes"),
            f"a block of frame {worst_at} is off by {worst:.0f}",
        ),
    ]


def _mixing(means: list[NDArray[np.float32]]) -> float:
    """How much of a component's change between blocks is in another one; 0 where too few colours tell.

    Another matrix mixes components; lost detail, contrast and brightness do not. It also explains most of what blocks
    are off by. Colours of many clips lie nearly on a plane, where what is beside it is noise: only the directions in
    which they spread are asked. Colour that coding lost mixes each component with luma, and is taken out.
    """
    wanted, found = (part.reshape(-1, 3).astype(np.float64) for part in means)
    about = wanted - wanted.mean(axis=0)
    off = (found - wanted) - (found - wanted).mean(axis=0)
    places, sizes, directions = np.linalg.svd(about, full_matrices=False)
    known = sizes / np.sqrt(max(1, len(wanted))) >= _MIXED_CODES
    if len(wanted) < _FEWEST_MIXED or int(known.sum()) < 2:
        return 0.0
    mixed = (directions[known].T / sizes[known]) @ (places[:, known].T @ off)
    spans = np.square(about).sum(axis=0)
    alone = off - about * ((about * off).sum(axis=0) / np.maximum(spans, 1e-9))
    if np.square(off - about @ mixed).sum() >= _EXPLAINED * np.square(alone).sum():
        return 0.0
    beside = ~np.eye(3, dtype=bool)
    rests = []
    for kr, kb in LUMA_WEIGHTS.values():
        greyer = np.outer([kr, 1 - kr - kb, kb], np.ones(3))[beside]
        lost = max(0.0, float(mixed[beside] @ greyer / (greyer @ greyer)))
        rests.append(float(np.abs(mixed[beside] - lost * greyer).max()))
    return min(rests)


def _faint_matrix(means: list[NDArray[np.float32]]) -> list[Finding]:
    """A doubt where another matrix explains most of what blocks are off by, however little that is."""
    wanted, found = (part.reshape(-1, 3).astype(np.float64) for part in means)
    off = float(np.abs(wanted - found).mean())
    if off < _FAINTEST_OFF_CODES or len(wanted) < _FEWEST_MIXED:
        return []
    rest = min(
        float(np.abs(wanted @ change.T - found).mean())
        for coded, read in itertools.permutations(LUMA_WEIGHTS, 2)
        for change in [np.linalg.inv(_differences_of_rgb(read)) @ _differences_of_rgb(coded)]
    )
    if rest >= _EXPLAINED * off:
        return []
    # Whether a matrix is a fault that changes nearly grey pictures by a code is for the user to say.
    return [Finding("colour", Opinion.DOUBTFUL, f"blocks are off by {off:.2f} codes, by {rest:.2f} in another matrix")]


def _differences_of_rgb(matrix: int) -> NDArray[np.float64]:
    """Rows that make luma and both scaled colour differences of R'G'B'."""
    kr, kb = LUMA_WEIGHTS[matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    return np.stack([luma, ([0, 0, 1] - luma) / (2 * (1 - kb)), ([1, 0, 0] - luma) / (2 * (1 - kr))])


def _some_pairs(reference: StreamFacts, output: StreamFacts, request: Request) -> Pairs:
    """Some twelve frames of the output, each with the reference's frame that it shows; none where that is not known."""
    if request.rate is not None:
        size = picture_size(output)
        wanted, found = (_block_means(decode_pictures(each, size)) for each in (reference, output))
        pairs = [(n, match) for n, match in enumerate(_by_time(reference, output, wanted, found)) if match is not None]
    elif reference.frame_count == output.frame_count:
        pairs = [(n, n) for n in range(output.frame_count)]
    else:
        return []
    return pairs[:: max(1, len(pairs) // _SITED_PAIRS)]
