"""Clips drawn by a seed: kinds of content times containers, codecs, depths, sizes, rates, sounds, tags and times.

`draw_clips` is for development: any seed below 1,000, kinds that have been opened alone. `draw_held_back_clips` draws
those that nobody looks at while anything is changed: a quarter of `HELD_BACK_KINDS`, the others of opened kinds.
`draw_clips_of` draws one clip of each kind that it is given: a part that was opened is the same ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from PIL import __version__ as pillow_version

from tests.strangers.content.drawing import Canvas
from tests.strangers.content.kinds import HELD_BACK_KINDS, OPENED_KINDS, PICTURE_KINDS
from tests.strangers.content.sounds import TUNES, draw_sound
from tests.strangers.content.sources import SOURCES
from tests.strangers.drawn_codings import CODINGS, RATES, SIZES, SOUND_CODINGS, Coding, SoundCoding
from tests.strangers.source_clips import BT601, BT709, BT2020, FULL709, Clip

__all__ = [
    "FIRST_HELD_BACK_SEED",
    "DrawnClip",
    "draw_clips",
    "draw_clips_of",
    "draw_held_back_clips",
]

FIRST_HELD_BACK_SEED: Final = 1000
"""Seeds from here on are for clips that are held back."""
_OPENED_PER_NEW: Final = 3
"""Held-back clips of opened kinds for each one of a kind that nobody has seen."""
_MOST_PIXELS: Final = 20_000_000
"""Of all frames of a clip: 22 of 1280x720. A clip is drawn and encoded in a second or two."""
_MOST_FRAMES: Final = 110
"""At 120 frames a second these are 0.9 s."""
_SMALL_PIXELS: Final = 480 * 270
"""Up to which more than 60 frames a second are drawn."""
_SHORTEST_S: Final = 0.6
_TIMED: Final = frozenset({".mp4", ".mov", ".mkv", ".webm"})
"""Containers that give every frame a time of its own."""
FULL601: Final = (*BT601[:-1], "pc")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DrawnClip(Clip):
    """A clip whose picture and sound are drawn: `picture` names the kind of content."""

    seed: int = 0
    """Of the picture and the sound."""
    tunes: tuple[str, ...] = field(default=())
    """Kind of sound of each channel."""
    is_variable: bool = False
    """Whether its times are uneven."""

    def _timing(self) -> tuple[str, ...]:
        fine = ("-enc_time_base", "1:90000") if self.is_variable else ()
        return ("-fps_mode", "passthrough", *fine)

    def _recipe(self) -> tuple[object, ...]:
        content = sorted((Path(__file__).parent / "content").glob("*.py"))
        return (*content, np.__version__, pillow_version)

    def _picture_input(self, frames: int) -> tuple[list[str], bytes | None]:
        assert isinstance(self.picture, str)
        width, height = self.size
        random = np.random.default_rng([self.seed, 1])
        if self.picture in SOURCES:
            source = SOURCES[self.picture](random, f"{width}x{height}", self.rate)
            return ["-f", "lavfi", "-i", f"{source},trim=end_frame={frames},format=gbrp"], None
        canvas = Canvas(width, height, tuple(float(n / Fraction(self.rate)) for n in range(frames)), random)
        raw = b"".join(picture.tobytes() for picture in PICTURE_KINDS[self.picture](canvas))
        return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", self.rate, "-i", "-"], raw

    def _sound_input(self, folder: Path) -> list[str]:
        if not self.tunes:
            return []
        raw = folder / "sound.f32"
        raw.write_bytes(draw_sound(self.tunes, self.seed, self.sound_rate, self.seconds).astype("<f4").tobytes())
        return ["-f", "f32le", "-ar", str(self.sound_rate), "-ac", str(len(self.tunes)), "-i", str(raw)]


def draw_clips(seed: int, count: int) -> tuple[Clip, ...]:
    """Clips for development. Raises `ValueError` for a seed of those that are held back."""
    if not 0 <= seed < FIRST_HELD_BACK_SEED:
        message = f"seed {seed}: development has 0..{FIRST_HELD_BACK_SEED - 1}; larger ones are held back"
        raise ValueError(message)
    return draw_clips_of(_kinds(seed, count, OPENED_KINDS), seed)


def draw_held_back_clips(seed: int, count: int) -> tuple[Clip, ...]:
    """Clips that are held back: in turn one of a kind that nobody has seen, and three of kinds that were opened."""
    turns = -(-count // (1 + _OPENED_PER_NEW))
    new = iter(_kinds(seed, turns, HELD_BACK_KINDS))
    opened = iter(_kinds(seed, turns * _OPENED_PER_NEW, OPENED_KINDS))
    kinds = [next(opened if number % (1 + _OPENED_PER_NEW) else new) for number in range(count)]
    return draw_clips_of(kinds, seed)


def draw_clips_of(kinds: Sequence[str], seed: int) -> tuple[Clip, ...]:
    """One clip of each kind; everything but its kind is drawn by the seed and by its place."""
    return tuple(_draw(seed, number, kind) for number, kind in enumerate(kinds))


def _kinds(seed: int, count: int, kinds: Sequence[str]) -> list[str]:
    """In an order that is drawn; each comes before any comes again."""
    order = np.random.default_rng([seed, 0]).permutation(len(kinds))
    return [kinds[order[number % len(kinds)]] for number in range(count)]


class _Choice:
    """Draws by a seed."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = np.random.default_rng([seed, number, 2])

    def of(self, several: Sequence[_T]) -> _T:
        return several[int(self._random.integers(len(several)))]

    def chance(self, share: float) -> bool:
        return bool(self._random.random() < share)

    def between(self, low: float, high: float) -> float:
        return float(self._random.uniform(low, high))


def _draw(seed: int, number: int, kind: str) -> DrawnClip:
    choose = _Choice(seed, number)
    coding = choose.of([each for each in CODINGS for _ in range(each.weight)])
    container, pixel_format = choose.of(coding.containers), choose.of(coding.pixel_formats)
    size = choose.of([each for each in SIZES if _fits(each, coding, pixel_format)])
    pixels = size[0] * size[1]
    is_variable = coding.takes_uneven_times and container in _TIMED and choose.chance(0.2)
    rate = choose.of([each for each in coding.rates or RATES if pixels <= _SMALL_PIXELS or Fraction(each) <= 60])
    # Of few frames a second there must be some to judge, and of those that are left out of uneven times.
    wished = max(choose.between(1.0, 1.5), 20 / float(Fraction(rate))) * (1.7 if is_variable else 1)
    most = min(_MOST_FRAMES, _MOST_PIXELS / pixels) / float(Fraction(rate))
    seconds = round(max(_SHORTEST_S, min(wished, most)), 2)
    shape, rotation = _shape(choose, coding, container)
    tunes, sound = _sound(choose, container)
    timing = _uneven(choose, rate, seconds) if is_variable else "null"
    late, options = _late(choose, container, has_sound=bool(tunes))
    return DrawnClip(
        name=(name := f"drawn-{seed}-{number:02}-{kind}"),
        family=name,
        picture=kind,
        size=size,
        rate=rate,
        seconds=seconds,
        filters=f"{timing},{late},{shape}",
        pixel_format=pixel_format,
        encoder=coding.options(choose.of(coding.qualities), container),
        tags=_tags(choose, coding, container, pixel_format, size),
        sound_rate=choose.of(sound.rates_hz),
        sound_encoder=sound.encoder,
        container=container,
        options=options,
        rotation=rotation,
        seed=1000 * seed + number,
        tunes=tunes,
        is_variable=is_variable,
    )


def _fits(size: tuple[int, int], coding: Coding, pixel_format: str) -> bool:
    if min(size) < coding.smallest or (not coding.states_colours and size[1] >= 720):
        return False
    return "444" in pixel_format or not (size[0] % 2 or size[1] % 2)


def _shape(choose: _Choice, coding: Coding, container: str) -> tuple[str, int]:
    """A filter for the aspect of pixels, and degrees to turn by."""
    if choose.chance(0.1):
        return f"setsar={choose.of(('4/3', '16/15', '8/9', '10/11', '12/11', '2/1', '3/4'))}", 0
    turns = container in {".mp4", ".mov"} and coding.encoder[1] in {"libx264", "libx265", "mpeg4"}
    return "null", choose.of((90, 180, 270)) if turns and choose.chance(0.2) else 0


def _uneven(choose: _Choice, rate: str, seconds: float) -> str:
    """A filter that leaves frames out or moves them."""
    frames, step_s = round(float(Fraction(rate)) * seconds), 1 / float(Fraction(rate))
    first, again = frames // 3, frames - frames // 4
    return choose.of(
        (
            f"select='lt(n,{first})+gte(n,{again})'",
            f"select='not(mod(n,3))+between(n,{first},{first + frames // 5})'",
            "select='eq(n,0)+gt(mod(n*37,11),3)'",
            f"setpts='PTS+mod(N*7,5)*{0.18 * step_s:.5f}/TB'",
            f"setpts='PTS+{0.3 * step_s:.5f}*sin(N*1.7)/TB+{0.3 * step_s:.5f}/TB'",
        )
    )


def _sound(choose: _Choice, container: str) -> tuple[tuple[str, ...], SoundCoding]:
    """Kinds of sound of each channel, none for a clip without; and the codec."""
    coding = choose.of([each for each in SOUND_CODINGS for name in each.containers if name == container])
    channels = choose.of(
        [each for each in (0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 6, 6) if each <= coding.most_channels]
    )
    names = sorted(TUNES)
    first = choose.of(names)
    # Different sounds in each channel, or one kind in all, which differs in its parameters.
    is_one = choose.chance(0.5)
    return tuple(first if is_one or number == 0 else choose.of(names) for number in range(channels)), coding


def _late(choose: _Choice, container: str, *, has_sound: bool) -> tuple[str, tuple[str, ...]]:
    """A filter and options by which the picture, the sound or both begin later than at 0."""
    if container not in _TIMED or not choose.chance(0.15):
        return "null", ()
    later_s = choose.between(0.1, 0.5)
    if has_sound and choose.chance(0.5):
        return "null", ("-af", f"asetpts=PTS+{later_s:.3f}/TB")
    return (f"setpts=PTS+{later_s:.3f}/TB" if choose.chance(0.5) else "null"), ("-output_ts_offset", f"{later_s:.3f}")


def _tags(choose: _Choice, coding: Coding, container: str, pixel_format: str, size: tuple[int, int]) -> tuple[str, ...]:
    if pixel_format == "gray":
        return FULL709  # swscale makes gray of full range, whatever it is asked for
    if not coding.states_colours:
        return ()
    if coding.encoder[1] == "prores_ks":
        return BT709
    able: list[tuple[str, ...]] = [BT709] * 4
    if coding.encoder[1] == "mpeg2video" or container != ".avi":
        able += [BT601] * 2 if size[1] < 720 else []
    able += [(), ()]
    if "10le" in pixel_format:
        able += [BT2020] * 2
    if coding.takes_full_range:
        able += [FULL709, FULL601]
    return choose.of(able)
