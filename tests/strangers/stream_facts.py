"""What ffprobe and ffmpeg say of a file: streams, tags, times, pictures and sound. Shares no code with capbench."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.container_colours import container_colours, matrix_number
from tests.strangers.tool_programs import ToolError, run_tool, run_tool_aloud

__all__ = [
    "ShownFrame",
    "SoundFacts",
    "StreamFacts",
    "decode_pictures",
    "decode_planes",
    "decode_sound",
    "picture_size",
    "probe",
    "windows",
]

SOUND_RATE_HZ: Final = 48000
"""Everything that is heard is compared at this rate."""
_JITTER_S: Final = 0.01
"""Containers round time stamps to a millisecond, and transport streams wobble by a few."""
_LONGEST_HOLE_S: Final = 30.0
"""A step that is longer is a clock that started anew: only the order of samples is believed then."""
_ONE_CURVE: Final = frozenset({"bt709", "smpte170m", "bt470bg", "bt2020-10", "bt2020-12"})
"""Transfers that are functionally the same (ITU-T H.273, table 3: 1, 6, 14, 15), and what BT.601 is called too."""
_WIDEST_PX: Final = 480
"""Pictures are compared at this width at most: enough for one pixel in four at 1080p, and it fits into memory."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One frame as ffprobe decodes it."""

    start_s: Fraction
    """Best-effort time stamp in seconds."""
    duration_s: Fraction | None
    """What the container says; None where it does not."""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """One track of sound."""

    channels: int
    """Number of channels."""
    rate_hz: int
    """Samples a second."""
    start_s: Fraction | None
    """When it is first heard; None for an empty track."""
    cut_s: float = 0.0
    """What is decoded before time 0 of an edit list and not heard."""
    largest_hole_s: float = 0.0
    """By how much time stamps move at most against the samples before them, for good."""

    step_back_s: tuple[float, float] | None = None
    """How much of it comes before its time stamps first step back by more than a frame, as where one recording was
    appended to another, and by how much they do; None where they never do."""

    @property
    def has_holes(self) -> bool:
        """Whether time stamps put silence between samples, or samples on top of each other."""
        return _JITTER_S < self.largest_hole_s <= _LONGEST_HOLE_S


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A file as ffprobe sees it."""

    path: Path
    """The file."""
    codec: str
    """FFmpeg's name of the video codec."""
    pixel_format: str
    """FFmpeg's name."""
    width: int
    """As coded, in pixels."""
    height: int
    """As coded, in pixels."""
    sample_aspect: Fraction
    """Width of a pixel over its height."""
    rotation: int
    """Degrees by which the display matrix turns the picture counter-clockwise, before it mirrors it."""
    matrix: str | None
    """FFmpeg's name of the matrix that the first picture has when it is decoded; None where it is not stated."""
    container_matrix: str | None
    """What an MP4's or MOV's colr box, or Matroska's Colour element says, read byte by byte; None without one."""
    chroma_location: str | None
    """FFmpeg's name of where chroma lies; None where it is not stated."""
    reorders: bool
    """Whether frames are coded in another order than they are shown."""
    full_range: bool
    """Whether codes span 0..255, as the first picture says when it is decoded, or the container where it does not."""
    time_base: Fraction
    """Seconds of a tick."""
    container_end_s: Fraction | None
    """When the container says that the video ends."""
    frames: tuple[ShownFrame, ...]
    """Every frame that decodes, in order of output."""
    sounds: tuple[SoundFacts, ...]
    """Its audio tracks with at least one packet."""
    coded_bytes: int
    """Of the coded pictures that decode."""
    complaints: str
    """What ffprobe says on standard error while it decodes all of it; empty where nothing is damaged."""
    is_mirrored: bool = False
    """Whether the display matrix then flips it left to right."""
    unshown: int = 0
    """Frames that decode before time 0 of an edit list (ISO/IEC 14496-12, 8.6.6) and are not presented."""
    is_timed: bool = True
    """Whether its container gives each frame a time; where it does not, frames are taken to follow each other."""
    container_full_range: bool | None = None
    """What the same box or element says; None where it does not."""
    primaries: str | None = None
    """FFmpeg's name of the primaries of the first picture when it is decoded, the container's where it is silent."""
    transfer: str | None = None
    """FFmpeg's name of its transfer."""
    container_primaries: str | None = None
    """What the container says."""
    container_transfer: str | None = None
    """What the container says."""

    @property
    def frame_count(self) -> int:
        """Frames that decode."""
        return len(self.frames)

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        deep = re.search(r"p(9|10|12|14|16)(le|be)?$", self.pixel_format)
        return int(deep[1]) if deep else 8

    @property
    def is_rgb(self) -> bool:
        """Whether samples are R'G'B'."""
        return self.pixel_format.startswith(("gbr", "rgb", "bgr"))

    @property
    def chroma_layout(self) -> str | None:
        """444, 422 or 420, of R'G'B' as well; None for any other."""
        if self.is_rgb:
            return "444"
        return next((name for name in ("444", "422", "420") if name in self.pixel_format), None)

    @property
    def display(self) -> tuple[int, int]:
        """Width and height upright in square pixels."""
        size = (max(1, round(self.width * self.sample_aspect)), self.height)
        return size[::-1] if self.rotation % 180 else size

    @property
    def end_s(self) -> Fraction | None:
        """When the last frame ends, counted from the first one; None where the container does not say."""
        last = self.frames[-1]
        if last.duration_s is not None:
            return last.start_s + last.duration_s - self.frames[0].start_s
        if self.container_end_s is not None and self.container_end_s > last.start_s:
            return self.container_end_s - self.frames[0].start_s
        return None

    @property
    def is_constant(self) -> bool:
        """Whether frames come at a constant rate, but for a tick."""
        steps = [after.start_s - before.start_s for before, after in itertools.pairwise(self.frames)]
        return not steps or max(steps) - min(steps) <= 2 * max(self.time_base, Fraction(1, 1000))

    @property
    def rate(self) -> Fraction:
        """Frames a second: the usual rate that is nearest to the mean one, where one is near."""
        if self.frame_count < 2 or self.frames[-1].start_s <= self.frames[0].start_s:
            return Fraction(25)
        mean = (self.frame_count - 1) / (self.frames[-1].start_s - self.frames[0].start_s)
        usual = [Fraction(n, d) for n in (12, 15, 24, 25, 30, 48, 50, 60, 100, 120) for d in (1,)]
        usual += [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)] + [Fraction(25, 2)]
        nearest = min(usual, key=lambda rate: abs(rate - mean))
        return nearest if abs(nearest - mean) / mean < Fraction(1, 1500) else mean.limit_denominator(1001)

    def matrix_by_rule(self) -> int:
        """601, 709 or 2020: what is stated, or the rule for what is not: 709 from 720 lines up."""
        # FFmpeg lets a frame that says nothing hide what the container says: ProRes' do, and "unspecified" in H.264.
        stated = matrix_number(self.matrix) or matrix_number(self.container_matrix)
        return stated or (709 if self.height >= 720 else 601)

    @property
    def contradicts_itself(self) -> bool:
        """Whether the coded pictures state another matrix or range than their container: R'G'B' has neither."""
        return not self.is_rgb and self.as_the_container_says() != self

    @property
    def other_colours(self) -> tuple[str, ...]:
        """In which of primaries and transfer the container says what is another light than the coded pictures say."""
        return tuple(
            f"{name} {mine} and {other}"
            for name, mine, other in (
                ("primaries", self.primaries, self.container_primaries),
                ("transfer", self.transfer, self.container_transfer),
            )
            if mine and other and mine != other and not (name == "transfer" and {mine, other} <= _ONE_CURVE)
        )

    def as_the_container_says(self) -> StreamFacts:
        """The same file, read by what its container states, by its coded pictures where that is silent."""
        matrix, full = self.matrix, self.full_range
        if matrix_number(self.container_matrix) not in {None, matrix_number(matrix), self.matrix_by_rule()}:
            matrix = self.container_matrix
        if self.container_full_range is not None:
            full = self.container_full_range
        return replace(self, matrix=matrix, full_range=full)


def probe(path: Path) -> StreamFacts:
    """Facts of the first video stream and all sound. Raises `ToolError` where ffprobe cannot read the file."""
    return _probe(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _probe(path: Path, _changed_ns: int) -> StreamFacts:
    entries = (
        "frame=best_effort_timestamp,best_effort_timestamp_time,pkt_duration,pkt_size,stream_index,nb_samples"
        ",color_space,color_range,color_primaries,color_transfer,chroma_location:stream:format"
    )
    command = ["ffprobe", "-v", "error", "-show_frames", "-show_streams", "-show_format", "-show_entries", entries]
    said, complaints = run_tool_aloud([*command, "-of", "json", path])
    found = json.loads(said)
    video = next((each for each in found["streams"] if each["codec_type"] == "video"), None)
    frames: dict[int, list[dict[str, Any]]] = {}
    for frame in found.get("frames", ()):
        if "stream_index" in frame:  # a subtitle has none
            frames.setdefault(frame["stream_index"], []).append(frame)
    if video is None or not frames.get(video["index"]):
        message = f"{path}: no frame of video"
        raise ToolError(message)
    # A decoded picture says what players go by; the stream's header may still say what the container did.
    first = frames[video["index"]][0]
    container = container_colours(path)
    span = _range(first.get("color_range"), video.get("pix_fmt", ""))
    time_base = Fraction(video["time_base"])
    rotation, is_mirrored = _shown_turn(video.get("side_data_list", ()))
    aspect = video.get("sample_aspect_ratio", "1:1").replace(":", "/")
    end = video.get("duration") or (None if len(found["streams"]) > 1 else found["format"].get("duration"))
    start = Fraction(video.get("start_time", "0"))
    # A raw stream has no times, and AVI has none of frames that are shown in another order than they are coded in.
    is_timed = path.suffix not in {".h264", ".h265"} and (path.suffix != ".avi" or not video.get("has_b_frames", 0))
    is_edited = path.suffix in {".mp4", ".mov"}
    shown = _shown_frames(frames[video["index"]], time_base, None if is_timed else Fraction(video["r_frame_rate"]))
    unshown = sum(frame.start_s < 0 for frame in shown) if is_edited else 0
    return StreamFacts(
        path=path,
        codec=video["codec_name"],
        pixel_format=video.get("pix_fmt", "unknown"),
        width=video["width"],
        height=video["height"],
        sample_aspect=Fraction(1) if aspect.startswith("0") or aspect == "N/A" else Fraction(aspect),
        rotation=rotation,
        is_mirrored=is_mirrored,
        matrix=_stated(first.get("color_space")),
        container_matrix=container.matrix,
        chroma_location=_stated(first.get("chroma_location")) or _stated(video.get("chroma_location")),
        reorders=video.get("has_b_frames", 0) > 0,
        full_range=bool(container.full_range if span is None else span),
        time_base=time_base,
        container_end_s=None if end is None or not is_timed else start + Fraction(end),
        frames=shown[unshown:],
        sounds=tuple(
            _sound(each, frames.get(each["index"], []), is_edited=is_edited)
            for each in found["streams"]
            if _is_heard(each)
        ),
        coded_bytes=sum(int(frame.get("pkt_size", 0)) for frame in frames[video["index"]]),
        complaints=complaints,
        unshown=unshown,
        is_timed=is_timed,
        container_full_range=container.full_range,
        primaries=_stated(first.get("color_primaries")),
        transfer=_stated(first.get("color_transfer")),
        container_primaries=container.primaries,
        container_transfer=container.transfer,
    )


def _shown_turn(side_data: Sequence[dict[str, Any]]) -> tuple[int, bool]:
    """Counter-clockwise degrees, and whether what is turned is mirrored then: ffprobe's angle knows of no mirror."""
    matrix = next((data["displaymatrix"] for data in side_data if "displaymatrix" in data), None)
    if matrix is None:
        return 0, False
    # Three lines of three numbers, each line behind its place: x' = a x + c y, y' = b x + d y.
    (a, b), (c, d) = ([int(word) for word in line.split()[1:3]] for line in matrix.strip().splitlines()[:2])
    return round(math.degrees(math.atan2(-b, d))), a * d < b * c


def _is_heard(stream: dict[str, Any]) -> bool:
    has_samples = stream.get("sample_rate", "0") != "0" and stream.get("channels", 0) > 0
    return bool(has_samples) and stream["codec_type"] == "audio"


def _shown_frames(frames: list[dict[str, Any]], time_base: Fraction, rate: Fraction | None) -> tuple[ShownFrame, ...]:
    """In order of output. With a `rate` a frame's number is all that is believed."""
    if rate is not None:
        return tuple(ShownFrame(number / rate, 1 / rate) for number in range(len(frames)))
    shown: list[ShownFrame] = []
    for frame in frames:
        ticks, duration = frame.get("best_effort_timestamp"), frame.get("pkt_duration") or frame.get("duration")
        # What a decoder still holds at the end of a program stream has no time: it follows the frame before it.
        before = shown[-1] if shown else ShownFrame(Fraction(-1, 25), None)
        start_s = before.start_s + (before.duration_s or Fraction(1, 25)) if ticks is None else ticks * time_base
        shown.append(ShownFrame(start_s, duration * time_base if duration else None))
    return tuple(shown)


def _sound(stream: dict[str, Any], frames: list[dict[str, Any]], *, is_edited: bool) -> SoundFacts:
    times = [Fraction(each["best_effort_timestamp_time"]) for each in frames if "best_effort_timestamp_time" in each]
    rate_hz = int(stream["sample_rate"])
    hole_s, step_back_s = 0.0, None
    if times and len(times) == len(frames):
        lengths = [Fraction(each.get("nb_samples", 0), rate_hz) for each in frames]
        hole_s = _largest_hole_s(times, lengths)
        step_back_s = _step_back_s(times, lengths)
    cut_s = max(Fraction(0), -times[0]) if times and is_edited else Fraction(0)
    start_s = times[0] + cut_s if times else None
    return SoundFacts(stream["channels"], rate_hz, start_s, float(cut_s), hole_s, step_back_s)


def _step_back_s(times: list[Fraction], lengths: list[Fraction]) -> tuple[float, float] | None:
    """How long the first frames last of which one begins before the one in front of it does, and what they share."""
    for number, (before, time) in enumerate(itertools.pairwise(times), 1):
        if time < before:
            return float(sum(lengths[:number], Fraction(0))), float(before + lengths[number - 1] - time)
    return None


def _largest_hole_s(times: list[Fraction], lengths: list[Fraction]) -> float:
    """By how much the time stamps leave what all samples before them add up to, and stay there.

    A stamp that is early by what the next ones are late is written wrongly, and nothing is missing: Vorbis in WebM is
    often stamped with the length of the wrong one of two neighbouring packets, which differ by 20 ms.
    """
    laid_end_to_end = itertools.accumulate(lengths[:-1], initial=times[0])
    ahead = np.array([float(time - place) for time, place in zip(times, laid_end_to_end, strict=True)])
    if len(ahead) < 2:
        return 0.0
    before = [bound.accumulate(ahead)[:-1] for bound in (np.maximum, np.minimum)]
    after = [bound.accumulate(ahead[:0:-1])[::-1] for bound in (np.minimum, np.maximum)]
    return max(0.0, float((after[0] - before[0]).max()), float((before[1] - after[1]).max()))


def _stated(name: str | None) -> str | None:
    return None if name in {None, "unknown", "unspecified", "reserved", "gbr"} else name


def _range(name: str | None, pixel_format: str) -> bool | None:
    """Whether a picture states the full range; None where it states none."""
    if pixel_format.startswith("yuvj"):
        return True
    return {"pc": True, "tv": False}.get(name or "")


def picture_size(facts: StreamFacts) -> tuple[int, int]:
    """Width and height at which a file's pictures are compared: upright, in square pixels, even."""
    width, height = facts.display
    scale = min(1.0, _WIDEST_PX / width)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def decode_pictures(
    facts: StreamFacts, size: tuple[int, int], kept: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Every frame upright as R'G'B' by the file's own tags, shape (frames, height, width, 3), scaled to `size`.

    With `kept`, the upper left part of that width and height alone. The matrix and range are given to FFmpeg by hand:
    what its scaler takes for granted is not the rule here.
    """
    return _decode_pictures(facts, size, kept)


@functools.lru_cache(maxsize=8)
def _decode_pictures(facts: StreamFacts, size: tuple[int, int], kept: tuple[int, int] | None) -> NDArray[np.uint8]:
    width, height = size
    matrix = {601: "bt601", 709: "bt709", 2020: "bt2020"}[facts.matrix_by_rule()]
    span = "pc" if facts.full_range else "tv"
    chroma = "" if facts.is_rgb else f":in_color_matrix={matrix}:in_range={span}"
    # `sws_dither` would add noise of its own to 10 bits.
    crop = "" if kept is None else f"crop={kept[0]}:{kept[1]}:0:0:exact=1,"
    scale = f"scale={width}:{height}:flags=area+accurate_rnd+full_chroma_int:sws_dither=none{chroma}"
    raw = run_tool(
        [
            *("ffmpeg", "-v", "quiet", "-threads", "2", "-i", facts.path, "-map", "0:v:0"),
            *("-fps_mode", "passthrough", "-vf", crop + scale, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"),
        ]
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)[facts.unshown :]


def decode_sound(facts: StreamFacts, track: int, channels: int) -> NDArray[np.float32]:
    """One track at 48 kHz from the first sample that is heard on, shape (channels, samples), full scale is 1.

    Each sample is where the time stamps put it (ISO/IEC 14496-12, 8.6.1.1): ffmpeg by itself closes up what lies
    between two frames that do not follow each other.
    """
    sound = facts.sounds[track]
    decoded = _decode_sound(facts.path, track, channels, sound.has_holes, facts.path.stat().st_mtime_ns)
    return decoded[:, round(sound.cut_s * SOUND_RATE_HZ) :]


@functools.lru_cache(maxsize=16)
def _decode_sound(path: Path, track: int, channels: int, has_holes: bool, _changed_ns: int) -> NDArray[np.float32]:
    placed = ("-af", f"aresample=async=1:min_hard_comp={_JITTER_S}") if has_holes else ()
    raw = run_tool(
        [
            *("ffmpeg", "-v", "quiet", "-i", path, "-map", f"0:a:{track}", *placed),
            *("-ar", str(SOUND_RATE_HZ), "-ac", str(channels), "-f", "f32le", "-"),
        ]
    )
    return np.frombuffer(raw, np.float32).reshape(-1, channels).T


def windows(samples: int, length: int) -> Iterator[slice]:
    """Successive stretches of `length` samples; the last, shorter one is left out."""
    for start in range(0, samples - length + 1, length):
        yield slice(start, start + length)


def decode_planes(facts: StreamFacts, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
    """Y, Cb and Cr of some frames as they are coded, each of shape (frames, rows, columns), in 8-bit codes.

    `numbers` of frames may repeat. Raises `IndexError` where fewer frames decode.
    """
    layout = facts.chroma_layout
    if layout is None:
        return []
    shown = sorted({number + facts.unshown for number in numbers})
    chosen = "+".join(f"eq(n\\,{number})" for number in shown)
    # As they are coded: FFmpeg's scaler brings more depth than 8 bits to limited range by the way.
    raw = run_tool(
        [
            *("ffmpeg", "-v", "quiet", "-noautorotate", "-i", facts.path, "-map", "0:v:0"),
            *("-vf", f"select={chosen}", "-fps_mode", "passthrough"),
            *("-pix_fmt", _wide_format(facts, layout), "-f", "rawvideo", "-"),
        ]
    )
    width, height = facts.width, facts.height
    if facts.is_rgb:
        frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3).astype(np.float32)
        coded = _coded(frames[[shown.index(number + facts.unshown) for number in numbers]], facts)
        return [coded[..., at] for at in range(3)]
    columns = width if layout == "444" else -(-width // 2)
    rows = -(-height // 2) if layout == "420" else height
    sizes = [(height, width), (rows, columns), (rows, columns)]
    bits = 16 if _wide_format(facts, layout).endswith("16le") else facts.bits
    deep = 2 ** (bits - 8)
    samples = np.frombuffer(raw, np.uint8 if bits == 8 else "<u2")
    frames = samples.reshape(-1, sum(h * w for h, w in sizes)).astype(np.float32) / np.float32(deep)
    planes: list[NDArray[np.float32]] = []
    start = 0
    for rows, columns in sizes:
        plane = frames[:, start : start + rows * columns].reshape(-1, rows, columns)
        planes.append(plane[[shown.index(number + facts.unshown) for number in numbers]])
        start += rows * columns
    return planes


def _coded(rgb: NDArray[np.float32], facts: StreamFacts) -> NDArray[np.float32]:
    """Y, Cb and Cr of R'G'B' of 0..255 in the matrix and range by which the file is read (ITU-R BT.601, BT.709)."""
    kr, kb = {601: (0.299, 0.114), 709: (0.2126, 0.0722), 2020: (0.2627, 0.0593)}[facts.matrix_by_rule()]
    luma = rgb @ np.array([kr, 1 - kr - kb, kb], np.float32)
    black, span, chroma = (0, 255, 255) if facts.full_range else (16, 219, 224)
    cb, cr = ((rgb[..., at] - luma) / (2 * (1 - k)) for at, k in ((2, kb), (0, kr)))
    coded: NDArray[np.float32] = np.stack(
        [black + luma * span / 255, 128 + cb * chroma / 255, 128 + cr * chroma / 255], axis=-1
    ).astype(np.float32)
    return coded


def _wide_format(facts: StreamFacts, layout: str) -> str:
    if facts.is_rgb:
        return "rgb24"
    is_planar = re.fullmatch(rf"yuvj?{layout}p((9|10|12|14|16)le)?", facts.pixel_format)
    return facts.pixel_format if is_planar else f"yuv{layout}p16le"
