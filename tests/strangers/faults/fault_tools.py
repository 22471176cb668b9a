"""How a fault is planted into a right output: what is encoded again, what is copied, what a base allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.foreign_exporters import Request
from tests.strangers.stream_facts import StreamFacts, decode_pictures, decode_planes, decode_sound, picture_size, probe
from tests.strangers.tool_programs import ToolError, run_tool

__all__ = [
    "COLOUR_CHECKS",
    "ENCODERS",
    "PICTURE_CHECKS",
    "PLAIN_SCALE",
    "SOUND_ENCODERS",
    "TIME_CHECKS",
    "Base",
    "Command",
    "Fault",
    "Maker",
    "all_of",
    "base_of",
    "coloured",
    "constant_rate",
    "detailed",
    "eight_bits_limited",
    "encoded_again",
    "flows",
    "from_moving",
    "graded",
    "has_chroma",
    "heard",
    "lit",
    "lopsided",
    "moves",
    "picture_filter",
    "seen",
    "sound_filter",
    "square_again",
    "stereo",
    "streams_copied",
    "tagged",
]

ENCODERS: Final = {
    "h264": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "10"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "10", "-x265-params", "log-level=error"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "0", "-crf", "8"),
    "av1": ("-c:v", "libsvtav1", "-preset", "10", "-crf", "10"),
    "prores": ("-c:v", "prores_ks", "-profile:v", "3"),
}
"""What a base is encoded to again, nearly without loss."""
SOUND_ENCODERS: Final = {
    ".mp4": ("-c:a", "aac", "-b:a", "224k"),
    ".mov": ("-c:a", "aac", "-b:a", "224k"),
    ".mkv": ("-c:a", "flac"),
    ".webm": ("-c:a", "libopus", "-b:a", "192k"),
}
_MOST_REPLACED: Final = 4
"""Frames that the strongest fault puts others in the place of."""
_SEEN_CODES: Final = 8.0
"""Mean difference, in codes of R'G'B', of a frame that another one has taken the place of."""
_COLOUR_CODES: Final = 12.0
"""Difference of a component from which colours are two."""
_FLAT_CODES: Final = 3.0
"""Range of a flat area; coding noise averages out over a block."""
_STILL_CODES: Final = 0.5
"""Change of a block that stands still, in codes: a fade is more."""
_LEFT_DETAIL: Final = 0.3
"""Share of the finest detail that a fault leaves at most: 35% are promised, and what validation measures as 38% of a
clip that is coarse itself is 33% here."""
_SHARP_QUANTILE: Final = 0.9
"""Of second differences, from which a pixel has detail."""
PLAIN_SCALE: Final = "flags=bicubic+accurate_rnd"
PICTURE_CHECKS: Final = ("picture.quality", "picture.local", "picture.outliers", "picture.same")
COLOUR_CHECKS: Final = ("colour.meaning", "colour.bias", "colour.patches", "colour.levels")
TIME_CHECKS: Final = ("time.stamps", "time.rate", "time.duration", "frames.late", "time.start", "time.monotonic")


@dataclass(frozen=True, slots=True)
class Base:
    """A right output into which faults are planted, and what its content allows."""

    reference: StreamFacts
    """What it was made from."""
    output: StreamFacts
    """The output."""
    request: Request
    """What its exporter was asked to change."""
    exporter: str
    """Who made it."""
    clip: str
    """From what."""
    moving: int
    """A frame that differs from its neighbours on both sides, of the inner half."""
    motion: float
    """By how many codes of R'G'B', on average over the picture."""
    steady_motion: float
    """The same for the median frame."""
    light: float
    """Mean code of R'G'B' in the darkest of the frames that a fault takes the place of."""
    colour: float
    """Mean difference between components, in codes."""
    detail: float
    """Mean difference of neighbouring pixels, in codes."""
    asymmetry: float
    """Mean difference of the picture from its flipped and its turned self, whichever is less, in codes."""
    loudness: float
    """Root mean square of its first track, full scale is 1; 0 without."""
    error: float
    """Root mean square difference from the reference, in codes: how fine it is."""
    levels: int
    """Levels of green that at least one in 2,000 pixels has."""
    flat_colours: int
    """Colours of the reference, 12 codes apart, of blocks that lie in flat areas, and stand still for two frames."""
    rounding: float
    """Largest mean difference from the reference of Y, Cb or Cr, in codes; infinite where samples differ in kind."""
    chroma_edges: tuple[float, float]
    """How much more Cb and Cr change to the next column than they are off, root mean square: below 1 most of what a
    move by a sample would change is lost in what coding did. Infinite where samples differ in kind."""
    matrix_codes: float
    """By how many codes its colours change on average where BT.601 is taken for BT.709."""
    gap: tuple[float, float]
    """From when to when its sound is loud enough for a gap to be noticed, in seconds."""

    @property
    def frames(self) -> int:
        """Frames of the output."""
        return self.output.frame_count

    @property
    def channels(self) -> int:
        """Channels of its sound; 0 without."""
        return self.output.sounds[0].channels if self.output.sounds else 0


def base_of(reference: StreamFacts, output: StreamFacts, *, exporter: str, clip: str, request: Request) -> Base | None:
    """A base, or None where a file is too short or of a kind that is not encoded again here. Raises `ToolError`."""
    if output.codec not in ENCODERS or output.path.suffix not in SOUND_ENCODERS or output.frame_count < 16:
        return None
    pictures = decode_pictures(output, picture_size(output)).astype(np.float32)
    steps = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    inner = range(len(steps) // 3, max(len(steps) // 3 + 1, 2 * len(steps) // 3))
    moving = max(inner, key=lambda n: min(steps[n - 1], steps[n]))
    return Base(
        reference=reference,
        output=output,
        request=request,
        exporter=exporter,
        clip=clip,
        moving=moving,
        motion=float(min(steps[moving - 1], steps[moving])),
        steady_motion=float(np.median(steps)),
        light=float(pictures[moving : moving + _MOST_REPLACED].mean(axis=(1, 2, 3)).min()),
        colour=float(np.abs(np.diff(pictures[::6], axis=-1)).mean()),
        detail=float(np.abs(np.diff(pictures[::6], axis=2)).mean()),
        asymmetry=_asymmetry(pictures[::6]),
        loudness=_loudness(output),
        error=_error(reference, output, pictures),
        levels=_levels(pictures[::6, ..., 1]),
        flat_colours=_flat_colours(reference),
        rounding=_rounding(reference, output),
        chroma_edges=_chroma_edges(reference, output),
        matrix_codes=float(np.abs(pictures[::6] @ _MATRIX_CHANGE.T).mean()),
        gap=(0.14, 0.36),  # the left channel of every made clip sounds from 0.12 to 0.37 s
    )


def _asymmetry(pictures: NDArray[np.float32]) -> float:
    turned = (pictures[:, ::-1], pictures[:, :, ::-1], pictures[:, ::-1, ::-1])
    return min(float(np.abs(pictures - other).mean()) for other in turned)


_MATRIX_CHANGE: Final = np.array(
    [[0.0864, -0.1282, 0.0418], [-0.0542, 0.0542, 0.0], [0.0, 0.0355, -0.0355]], np.float32
)
"""Y', Cb and Cr of R'G'B' by BT.601 less those by BT.709, full range: what each row sums up to is 0."""


def _error(reference: StreamFacts, output: StreamFacts, pictures: NDArray[np.float32]) -> float:
    wanted = decode_pictures(reference, picture_size(output))
    count = min(len(wanted), len(pictures))
    return float(np.sqrt(np.mean((pictures[:count:6] - wanted[:count:6]) ** 2)))


def _levels(green: NDArray[np.float32]) -> int:
    return int((np.bincount(green.astype(np.int64).ravel()) > green.size / 2000).sum())


def _flat_colours(facts: StreamFacts) -> int:
    """Colours of Y, Cb and Cr of blocks of 8x8 luma pixels whose eight neighbours have the same colour.

    And had it two frames before: of what fades nobody knows how it was rounded.
    """
    chosen = _some_frames(facts)
    planes = decode_planes(facts, [*chosen, *(max(0, frame - 2) for frame in chosen)])
    rows, columns = facts.height // 8, facts.width // 8
    if not planes or min(rows, columns) < 3:
        return 0
    both = np.stack([_block_means(plane, rows, columns, facts) for plane in planes], axis=-1)
    blocks, before = both[: len(chosen)], both[len(chosen) :]
    around = np.stack([blocks[:, y : rows - 2 + y, x : columns - 2 + x] for y in range(3) for x in range(3)])
    is_flat = (around.max(axis=0) - around.min(axis=0)).max(axis=-1) <= _FLAT_CODES
    is_still = np.abs(blocks - before).max(axis=-1) <= _STILL_CODES
    return _colours_apart(blocks[:, 1:-1, 1:-1][is_flat & is_still[:, 1:-1, 1:-1]])


def _colours_apart(flat: NDArray[np.float32]) -> int:
    """How many colours there are, of at least three blocks each, none less than 12 codes from another.

    Cells of 12 codes alone would count one colour several times where its grain lies across their borders.
    """
    if not len(flat):
        return 0
    _, cell_of, counts = np.unique(flat // _COLOUR_CODES, axis=0, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), 3))
    np.add.at(sums, cell_of.reshape(-1), flat)
    means = sums / counts[:, None]
    known: list[NDArray[np.float64]] = []
    for cell in np.argsort(-counts, kind="stable"):
        if counts[cell] >= 3 and all(np.abs(means[cell] - other).max() >= _COLOUR_CODES for other in known):
            known.append(means[cell])
    return len(known)


def _block_means(plane: NDArray[np.float32], rows: int, columns: int, facts: StreamFacts) -> NDArray[np.float32]:
    down, across = (8 * plane.shape[1] // facts.height, 8 * plane.shape[2] // facts.width)
    blocks = plane[:, : rows * down, : columns * across].reshape(-1, rows, down, columns, across)
    means: NDArray[np.float32] = blocks.mean(axis=(2, 4))
    return means


def _some_frames(facts: StreamFacts) -> range:
    return range(0, facts.frame_count, max(1, facts.frame_count // 12))


def _rounding(reference: StreamFacts, output: StreamFacts) -> float:
    return max((abs(float((a - b).mean())) for a, b in _alike_planes(reference, output)), default=float("inf"))


def _chroma_edges(reference: StreamFacts, output: StreamFacts) -> tuple[float, float]:
    ratios = [
        float(np.sqrt(np.square(np.diff(shown, axis=2)).mean() / max(np.square(shown - wanted).mean(), 1e-6)))
        for wanted, shown in _alike_planes(reference, output)[1:]
    ]
    return (ratios[0], ratios[1]) if ratios else (float("inf"), float("inf"))


def _alike_planes(reference: StreamFacts, output: StreamFacts) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Y, Cb and Cr of some frames of both; none where samples differ in kind."""
    kinds = [
        (each.pixel_format, each.width, each.height, each.rotation, each.is_mirrored, each.frame_count, each.full_range)
        for each in (reference, output)
    ]
    if kinds[0] != kinds[1] or reference.matrix_by_rule() != output.matrix_by_rule():
        return []
    planes = [decode_planes(facts, _some_frames(facts)) for facts in (reference, output)]
    return list(zip(*planes, strict=True))


def _loudness(facts: StreamFacts) -> float:
    if not facts.sounds:
        return 0.0
    sound = decode_sound(facts, 0, facts.sounds[0].channels)
    return float(np.sqrt((sound**2).mean())) if sound.size else 0.0


Command = list[str | Path]
Maker = Callable[[Base, float, Path], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    name: str
    """Unique."""
    subject: str
    """frames, times, sound, colour, geometry, damage or quality."""
    weak: tuple[float, ...]
    """Strengths below what validation promises to see: they give the detection curve."""
    judged: tuple[float, ...]
    """Strengths at and above it."""
    limit: str
    """What is promised, in words, from docs/validation.md and the limits of the checks."""
    caught_by: tuple[str, ...]
    """Checks that name it rightly: one of them must fail."""
    make: Maker
    """Writes the faulty file for a strength. Raises `ToolError`."""
    needs: Callable[[Base], bool] = lambda _: True
    """Whether the base's content lets the fault be seen or heard at all."""


def encoded_again(base: Base, filters: str, *more: str | Path, sources: tuple[str | Path, ...] = ()) -> Command:
    """Encode the picture again behind filters; the sound is copied."""
    facts = base.output
    stated: list[str] = []
    if facts.matrix is not None:
        name = {601: "smpte170m", 709: "bt709", 2020: "bt2020nc"}[facts.matrix_by_rule()]
        primaries = "bt2020" if name == "bt2020nc" else name
        transfer = "bt2020-10" if name == "bt2020nc" else name
        stated = ["-colorspace", name, "-color_primaries", primaries, "-color_trc", transfer]
    return [
        *("ffmpeg", "-v", "error", "-y", "-threads", "2", "-i", facts.path, *sources),
        *("-filter_complex", f"[0:v:0]{filters}[v]", "-map", "[v]", "-map", "0:a?", "-c:a", "copy"),
        *("-fps_mode", "passthrough", "-enc_time_base", "1:90000", *ENCODERS[facts.codec]),
        *("-pix_fmt", facts.pixel_format, *stated, "-color_range", "pc" if facts.full_range else "tv", *more),
    ]


def picture_filter(filters: Callable[[Base, float], str], *more: str) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        run_tool([*encoded_again(base, filters(base, strength)), *more, path])

    return make


def seen(make: Maker, codes: float = _SEEN_CODES, *, weak: tuple[float, ...] = ()) -> Maker:
    """A fault that must change a frame as a whole: a tool that planted nothing must not count as a fault missed.

    `codes` of R'G'B' is by how much on average at least, but for `weak` strengths.
    """

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        if strength in weak:
            return
        faulty = probe(path)
        size = picture_size(base.output)
        was, now = (decode_pictures(facts, size).astype(np.float32) for facts in (base.output, faulty))
        count = min(len(was), len(now))
        changed = np.abs(was[:count] - now[:count]).mean(axis=(1, 2, 3)).max()
        if changed < codes:
            message = f"{path.name}: no frame is changed by more than {changed:.1f} codes"
            raise ToolError(message)

    return checked


def without_detail(make: Maker) -> Maker:
    """A blur or enlargement that leaves at most 35% of the finest detail: what is coarse itself has less to lose.

    Strengths below 1 are weak ones and may leave more.
    """

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        left = _detail_left(base.reference, probe(path))
        if strength >= 1 and left > _LEFT_DETAIL:
            message = f"{path.name}: {left:.0%} of the finest detail is left"
            raise ToolError(message)

    return checked


def _detail_left(reference: StreamFacts, faulty: StreamFacts) -> float:
    """Share of the second differences of the reference's sharpest samples that a file has, by least squares.

    0 where pictures are not of one kind, so that they cannot be compared sample by sample.
    """
    kinds = [
        (each.width, each.height, each.rotation, each.is_mirrored, each.full_range, each.frame_count)
        for each in (reference, faulty)
    ]
    if kinds[0] != kinds[1]:
        return 0.0
    planes = [decode_planes(facts, _some_frames(facts)) for facts in (reference, faulty)]
    if not all(planes):
        return 0.0
    wanted, found = (_second_differences(each[0]) for each in planes)
    sharp = np.abs(wanted) >= np.quantile(np.abs(wanted), _SHARP_QUANTILE)
    return float((wanted[sharp] * found[sharp]).sum() / max(1e-9, float(np.square(wanted[sharp]).sum())))


def _second_differences(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = pictures[:, 1:-1, 1:-1]
    around = pictures[:, :-2, 1:-1] + pictures[:, 2:, 1:-1] + pictures[:, 1:-1, :-2] + pictures[:, 1:-1, 2:]
    difference: NDArray[np.float32] = 4 * inner - around
    return difference


def sound_filter(filters: Callable[[Base, float], str]) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        words: Command = ["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0:v:0", "-map", "0:a:0"]
        encoder = SOUND_ENCODERS[base.output.path.suffix]
        run_tool([*words, "-c:v", "copy", "-af", filters(base, strength), *encoder, path])

    return make


def streams_copied(*options: str, delayed: str | None = None) -> Maker:
    """Streams as they are; `delayed` names the one that comes `strength` milliseconds later than it did."""

    def make(base: Base, strength: float, path: Path) -> None:
        words: Command = ["ffmpeg", "-v", "error", "-y", "-i", base.output.path]
        if delayed is not None:
            words += ["-itsoffset", f"{strength / 1e3:.6f}", "-i", base.output.path]
            words += ["-map", "0:v:0", "-map", "1:a:0"] if delayed == "a" else ["-map", "1:v:0", "-map", "0:a:0"]
        else:
            words += ["-map", "0"]
        run_tool([*words, "-c", "copy", *[option.format(strength=strength) for option in options], path])

    return make


def from_moving(base: Base, count: float) -> str:
    return f"between(n,{base.moving},{base.moving + int(count) - 1})"


def moves(codes: float = 1.0) -> Callable[[Base], bool]:
    return lambda base: base.motion >= codes


def flows(base: Base) -> bool:
    return base.steady_motion >= 1.0


def heard(base: Base) -> bool:
    wanted = base.reference.sounds[0].channels if base.reference.sounds else 0
    return 0 < base.channels == wanted and base.loudness >= 0.003


def stereo(base: Base) -> bool:
    return heard(base) and base.channels == 2


def coloured(base: Base) -> bool:
    return base.colour >= 14


def lit(base: Base) -> bool:
    """Whether a black frame is another one: a recording may be black itself."""
    return base.light >= 2 * _SEEN_CODES


def has_chroma(base: Base) -> bool:
    """Whether it can be green: a grey picture's zero codes are black."""
    return not base.output.pixel_format.startswith("gray")


def lopsided(base: Base) -> bool:
    return base.asymmetry >= 4


def graded(step: float) -> Callable[[Base], bool]:
    """Whether levels that are `step` codes apart would show: coding that is off by an eighth of it hides none."""
    return lambda base: eight_bits_limited(base) and base.levels >= 100 and base.error <= step / 8


def square_again(base: Base) -> str:
    """A filter that gives pixels the aspect they had: FFmpeg's scaler keeps the picture's instead."""
    return f"setsar={base.output.sample_aspect}"


def detailed(base: Base) -> bool:
    return base.detail >= 3.5


def tagged(base: Base) -> bool:
    return base.output.matrix is not None and base.output.codec in {"h264", "hevc"}


def eight_bits_limited(base: Base) -> bool:
    return base.output.pixel_format in {"yuv420p", "yuv422p", "yuv444p"} and not base.output.full_range


def constant_rate(base: Base) -> bool:
    return base.output.is_constant and base.frames > 16


def all_of(*needs: Callable[[Base], bool]) -> Callable[[Base], bool]:
    return lambda base: all(need(base) for need in needs)
