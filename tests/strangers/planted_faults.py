"""Faults planted into right outputs by ffmpeg's filters and bitstream tools: kinds, strengths, and what must name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from tests.strangers.foreign_exporters import Request
from tests.strangers.stream_facts import StreamFacts, decode_pictures, picture_size
from tests.strangers.tool_programs import ToolError, run_tool

__all__ = ["CONTROLS", "FAULTS", "Base", "Fault", "base_of"]

ENCODERS: Final = {
    "h264": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "10"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "10", "-x265-params", "log-level=error"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "0", "-crf", "8"),
    "av1": ("-c:v", "libsvtav1", "-preset", "10", "-crf", "10"),
    "prores": ("-c:v", "prores_ks", "-profile:v", "3"),
}
"""What a base is encoded to again, nearly without loss."""
SOUND_ENCODERS: Final = {
    ".mp4": ("-c:a", "aac", "-b:a", "224k"), ".mov": ("-c:a", "aac", "-b:a", "224k"),
    ".mkv": ("-c:a", "flac"), ".webm": ("-c:a", "libopus", "-b:a", "192k"),
}  # fmt: skip
_PLAIN_SCALE: Final = "flags=bicubic+accurate_rnd"


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
    colour: float
    """Mean difference between components, in codes."""
    detail: float
    """Mean difference of neighbouring pixels, in codes."""
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
        colour=float(np.abs(np.diff(pictures[::6], axis=-1)).mean()),
        detail=float(np.abs(np.diff(pictures[::6], axis=2)).mean()),
        gap=(0.14, 0.36),  # the left channel of every made clip sounds from 0.12 to 0.37 s
    )


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


def _encode(base: Base, filters: str, *more: str | Path, sources: tuple[str | Path, ...] = ()) -> Command:
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


def _picture(filters: Callable[[Base, float], str], *more: str) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        run_tool([*_encode(base, filters(base, strength)), *more, path])

    return make


def _sound(filters: Callable[[Base, float], str]) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        run_tool([
            *("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0:v:0", "-map", "0:a:0", "-c:v", "copy"),
            *("-af", filters(base, strength), *SOUND_ENCODERS[base.output.path.suffix], path),
        ])  # fmt: skip

    return make


def _copied(*options: str, delayed: str | None = None) -> Maker:
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


def _freeze(first: int, last: int, shown: int) -> str:
    return f"split[p][q];[p][q]freezeframes=first={first}:last={last}:replace={shown}"


def _swap(base: Base, distance: float) -> str:
    one, two = base.moving, base.moving + int(distance)
    return (
        f"split=3[p][q][r];[p][q]freezeframes=first={one}:last={one}:replace={two}[s];"
        f"[s][r]freezeframes=first={two}:last={two}:replace={one}"
    )


def _between(base: Base, count: float) -> str:
    return f"between(n,{base.moving},{base.moving + int(count) - 1})"


def _box(base: Base, side: float) -> tuple[int, int, int]:
    """Left, top and side of a square near the middle, on the grid of macroblocks."""
    length = int(side)
    return base.output.width // 2 // 16 * 16, base.output.height // 2 // 16 * 16, length


def _foreign(base: Base, count: float, path: Path) -> None:
    size = f"{base.output.width}x{base.output.height}"
    other = ("-f", "lavfi", "-i", f"mandelbrot=s={size}:r=30:start_scale=0.02:end_scale=0.01")
    end = base.moving + int(count) - 1
    filters = f"null[p];[1:v]format={base.output.pixel_format}[q];[p][q]overlay=enable='between(n,{base.moving},{end})':shortest=1:format=auto"
    run_tool([*_encode(base, filters, sources=other), path])


def _other_track(base: Base, _: float, path: Path) -> None:
    layout = "|".join(["0.3*sin(2*PI*(800-300*t)*t)*gt(mod(t+0.21,0.31),0.17)"] * base.channels)
    shape = {1: "mono", 2: "stereo", 6: "5.1"}[base.channels]
    end = float(base.output.frames[-1].start_s - base.output.frames[0].start_s) + 0.04
    run_tool([
        *("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-f", "lavfi", "-i"),
        *(f"aevalsrc='{layout}':c={shape}:s=48000:d={end:.3f}", "-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy"),
        *(*SOUND_ENCODERS[base.output.path.suffix], path),
    ])  # fmt: skip


def _bit_errors(base: Base, count: float, path: Path) -> None:
    """Bytes of the coded picture are overwritten, beyond the headers and before the index."""
    data = bytearray(base.output.path.read_bytes())
    start, end = _payload(data, base.output.path.suffix)
    choose = np.random.default_rng(len(data))
    for place in choose.integers(start + (end - start) // 4, end - (end - start) // 8, int(count)):
        data[place : place + 24] = choose.integers(0, 256, 24, dtype=np.uint8).tobytes()
    path.write_bytes(data)


def _payload(data: bytearray, suffix: str) -> tuple[int, int]:
    if suffix in {".mp4", ".mov"} and (at := data.find(b"mdat")) >= 4:
        return at + 4, at - 4 + int.from_bytes(data[at - 4 : at], "big")
    return 2000, len(data)


def _truncated(base: Base, share: float, path: Path) -> None:
    """The file ends early; an index that lay behind is put in front first, as a download would have it."""
    whole = path.with_suffix(f".whole{base.output.path.suffix}")
    front = ("-movflags", "+faststart") if base.output.path.suffix in {".mp4", ".mov"} else ()
    try:
        run_tool(["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy", *front, whole])
        data = whole.read_bytes()
    finally:
        whole.unlink(missing_ok=True)
    path.write_bytes(data[: int(len(data) * (1 - share))])


def _last_hold(base: Base, _: float, path: Path) -> None:
    """The last frame lasts a sixtieth of a second, whatever it lasted before."""
    last, ticks = base.output.frame_count - 1, int(Fraction(1, 60) / base.output.time_base)
    run_tool([
        *("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0:v:0", "-c", "copy"),
        *("-bsf:v", f"setts=duration=if(eq(N\\,{last})\\,{ticks}\\,DURATION)", path),
    ])  # fmt: skip


def _collapse(base: Base, quantiser: float, path: Path) -> None:
    first, last = base.frames // 3, 2 * base.frames // 3
    command = _encode(base, "null")
    parameters = f"zones={first},{last},q={int(quantiser)}"
    place = command.index("-crf")
    if base.output.codec == "hevc":
        at = command.index("-x265-params")
        command[at + 1] = f"log-level=error:{parameters}"
    else:
        command[place + 2 : place + 2] = ["-x264-params", parameters]
    run_tool([*command, path])


def _rotated(base: Base, degrees: float, path: Path) -> None:
    turn = ("-metadata:s:v:0", f"rotate={int(degrees)}")
    run_tool(["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy", *turn, path])


def _bitstream(h264: str, hevc: str) -> Maker:
    def make(base: Base, strength: float, path: Path) -> None:
        text = f"h264_metadata={h264}" if base.output.codec == "h264" else f"hevc_metadata={hevc}"
        run_tool([
            *("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0", "-c", "copy"),
            *("-bsf:v", text.format(strength=int(strength)), path),
        ])  # fmt: skip

    return make


def _container_matrix(base: Base, _: float, path: Path) -> None:
    """The colr box of the finished file says BT.601, the bitstream keeps what it said."""
    data = bytearray(base.output.path.read_bytes())
    at = data.find(b"colrnclx")
    if at < 0:
        message = "no colr box"
        raise ToolError(message)
    data[at + 8 : at + 14] = bytes((0, 6, 0, 6, 0, 6))
    path.write_bytes(data)


def _is(*codecs: str) -> Callable[[Base], bool]:
    return lambda base: base.output.codec in codecs


def _moves(codes: float = 1.0) -> Callable[[Base], bool]:
    return lambda base: base.motion >= codes


def _flows(base: Base) -> bool:
    return base.steady_motion >= 1.0


def _heard(base: Base) -> bool:
    return base.channels > 0 and base.channels == (base.reference.sounds[0].channels if base.reference.sounds else 0)


def _wide(base: Base) -> bool:
    return _heard(base) and base.channels == 2


def _coloured(base: Base) -> bool:
    return base.colour >= 14


def _fine(base: Base) -> bool:
    return base.detail >= 3.5


def _tagged(base: Base) -> bool:
    return base.output.matrix is not None and base.output.codec in {"h264", "hevc"}


def _plain8(base: Base) -> bool:
    return base.output.pixel_format in {"yuv420p", "yuv422p", "yuv444p"} and not base.output.full_range


def _constant(base: Base) -> bool:
    return base.output.is_constant and base.frames > 16


def _both(*needs: Callable[[Base], bool]) -> Callable[[Base], bool]:
    return lambda base: all(need(base) for need in needs)


_PICTURE: Final = ("picture.quality", "picture.local", "picture.outliers", "picture.same")
_COLOUR: Final = ("colour.meaning", "colour.bias", "colour.patches", "colour.levels")
_TIMES: Final = ("time.stamps", "time.rate", "time.duration", "frames.late", "time.start", "time.monotonic")
_LOST: Final = ("frames.first", "frames.last", "frames.missing", "time.duration")

CONTROLS: Final = (
    Fault("control-picture", "control", (), (0,), "nothing is wrong", (), _picture(lambda *_: "null")),
    Fault("control-sound", "control", (), (0,), "nothing is wrong", (), _sound(lambda *_: "anull"), _heard),
)
"""The same tools with nothing planted: what they spoil by themselves must not count as a fault that was seen."""

FAULTS: Final = (
    Fault("lost-at-start", "frames", (), (1, 3), "one frame, where the picture moves", ("frames.first", "frames.missing"),
          _picture(lambda _, n: f"select='gte(n,{int(n)})'"), _flows),
    Fault("lost-in-middle", "frames", (), (1, 3), "one frame, where the picture moves", ("frames.missing",),
          _picture(lambda base, n: f"select='not({_between(base, n)})'"), _moves()),
    Fault("lost-at-end", "frames", (), (1, 4), "one frame, where the picture moves", ("frames.last",),
          _picture(lambda base, n: f"select='lt(n,{base.frames - int(n)})'"), _flows),
    Fault("every-nth-lost", "frames", (), (9, 5), "one frame, where the picture moves", ("frames.missing",),
          _picture(lambda _, n: f"select='mod(n+4,{int(n)})'"), _flows),
    Fault("lost-and-closed-up", "frames", (), (1, 4), "one frame, where the picture moves",
          ("frames.missing", "time.stamps", "frames.last"),
          _picture(lambda base, n: f"select='not({_between(base, n)})',setpts=N/({base.output.rate})/TB"),
          _both(_moves(), _constant)),
    Fault("doubled", "frames", (), (1, 3), "one frame, where the picture moves",
          ("frames.repeated", "frames.frozen", "frames.missing"),
          _picture(lambda base, n: _freeze(base.moving, base.moving + int(n) - 1, base.moving - 1)), _moves()),
    Fault("swapped-frames", "frames", (), (1, 3), "two neighbours, where the picture moves",
          ("frames.order", "frames.missing", "frames.repeated"), _picture(_swap), _moves()),
    Fault("frozen", "frames", (), (4, 8), "standing still where the reference moves",
          ("frames.frozen", "frames.repeated", "frames.missing"),
          _picture(lambda base, n: _freeze(base.moving, base.moving + int(n), base.moving)), _flows),
    Fault("black-frame", "frames", (), (1, 4), "one frame", ("frames.black",),
          _picture(lambda base, n: f"drawbox=c=black:t=fill:enable='{_between(base, n)}'")),
    Fault("green-frame", "frames", (), (1, 4), "one frame of zero codes", ("frames.green",),
          _picture(lambda base, n: f"lutyuv=y=0:u=0:v=0:enable='{_between(base, n)}'")),
    Fault("foreign-frame", "frames", (), (1, 4), "one frame of another clip",
          (*_PICTURE, "frames.missing", "frames.order", "frames.readable"), _foreign),
    Fault("interlaced", "frames", (), (1,), "fields of two moments in a frame", (*_PICTURE, "picture.sharpness", "picture.place"),
          _picture(lambda *_: "phase=t"), lambda base: base.steady_motion >= 4 and _plain8(base)),
    Fault("rate", "times", (0.0001,), (0.001, 0.01), "2e-4 of the rate, or half a tick", _TIMES,
          _picture(lambda _, share: f"setpts=PTS*{1 + share}"), _constant),
    Fault("picture-drifts", "times", (2,), (20, 60), "half a tick; 8 ms of drift", (*_TIMES, "audio.drift"),
          _picture(lambda base, ms: f"setpts='PTS*(1+{ms / 1e3}/{float(base.frames / base.output.rate):.4f})'"), _heard),
    Fault("picture-starts-late", "times", (8,), (40, 200), "15 ms against the sound", ("audio.offset", "time.start"),
          _copied(delayed="v"), _heard),
    Fault("last-hold-lost", "times", (), (1,), "1.5 frames of length", ("time.duration", "frames.last"), _last_hold,
          lambda base: (base.output.frames[-1].duration_s or 0) > Fraction(3, 10)),
    Fault("jitter", "times", (0.3,), (6, 15), "half a tick of the coarser file", _TIMES,
          _picture(lambda _, ms: f"setpts='PTS+mod(N,2)*{ms / 1e3}/TB'"), lambda base: base.output.rate < 61),
    Fault("one-late", "times", (0.3,), (6, 12), "half a tick of the coarser file", _TIMES,
          _picture(lambda base, ms: f"setpts='PTS+eq(N,{base.moving})*{ms / 1e3}/TB'"), lambda base: base.output.rate < 61),
    Fault("rounded-times", "times", (), (10, 15), "half a tick of the coarser file", _TIMES,
          _picture(lambda _, ms: f"setpts='floor(PTS*TB*1000/{ms}+0.5)*{ms}/1000/TB'"),
          lambda base: base.output.rate in {24, Fraction(24000, 1001), 30, Fraction(30000, 1001), 60, Fraction(60000, 1001)}),
    Fault("sound-missing", "sound", (), (1,), "any", ("audio.present",), _copied("-an"), _heard),
    Fault("sound-late", "sound", (8,), (25, 80, 300), "15 ms", ("audio.offset",), _copied(delayed="a"), _heard),
    Fault("sound-early", "sound", (8,), (25, 80), "15 ms", ("audio.offset",),
          _sound(lambda _, ms: f"atrim=start={ms / 1e3},asetpts=PTS-STARTPTS"), _heard),
    Fault("sound-drifts", "sound", (0.003,), (0.03, 0.06), "8 ms from start to end", ("audio.drift", "audio.offset", "audio.length"),
          _sound(lambda _, share: f"atempo={1 + share}"), _heard),
    Fault("channels-swapped", "sound", (), (1,), "where left and right differ by 1% of the energy", ("audio.channels", "audio.content"),
          _sound(lambda *_: "pan=stereo|c0=c1|c1=c0"), _wide),
    Fault("channel-inverted", "sound", (), (1,), "where left and right differ by 1% of the energy",
          ("audio.channels", "audio.content", "audio.level"), _sound(lambda *_: "pan=stereo|c0=c0|c1=-1*c1"), _wide),
    Fault("made-mono", "sound", (), (1,), "80% of the difference between the channels", ("audio.channels",),
          _sound(lambda *_: "pan=stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0+0.5*c1"), _wide),
    Fault("clipped", "sound", (3,), (12, 18), "0.1% of the samples", ("audio.clipping", "audio.level"),
          _sound(lambda _, db: f"volume={db}dB:precision=fixed,aformat=sample_fmts=s16"), _heard),
    Fault("sound-gap", "sound", (8,), (40, 100), "20 ms", ("audio.gaps",),
          _sound(lambda base, ms: f"volume=0:enable='between(t,{base.gap[0] + 0.02},{base.gap[0] + 0.02 + ms / 1e3})'"), _heard),
    Fault("resampled-wrongly", "sound", (), (44100, 32000), "another rate read as 48 kHz",
          ("audio.length", "audio.drift", "audio.content", "audio.offset"),
          _sound(lambda _, rate: f"aresample={int(rate)},asetrate=48000"), _heard),
    Fault("other-track", "sound", (), (1,), "another sound", ("audio.content", "audio.offset", "audio.gaps"), _other_track, _heard),
    Fault("pitch", "sound", (1.005,), (1.12, 1.5), "not promised", ("audio.content",),
          _sound(lambda _, factor: f"aresample=48000,asetrate={int(48000 * factor)},aresample=48000,atempo={1 / factor:.6f}"), _heard),
    Fault("level", "sound", (0.7,), (-4, -8), "1.5 dB", ("audio.level",), _sound(lambda _, db: f"volume={db}dB"), _heard),
    Fault("sound-cut-short", "sound", (40,), (250, 500), "100 ms", ("audio.length",),
          _sound(lambda base, ms: f"atrim=end={max(0.2, float(base.frames / base.output.rate) - ms / 1e3):.3f}"),
          lambda base: _heard(base) and base.frames / base.output.rate > 0.9),
    Fault("matrix", "colour", (), (1,), "a mean of 1.6 codes, or what a known mistake explains", ("colour.meaning",),
          _picture(lambda base, _: f"scale=in_color_matrix={'bt709' if base.output.matrix_by_rule() == 709 else 'bt601'}:"
                   f"out_color_matrix={'bt601' if base.output.matrix_by_rule() == 709 else 'bt709'}:{_PLAIN_SCALE}"),
          lambda base: _coloured(base) and base.output.matrix_by_rule() != 2020),
    Fault("range", "colour", (), (1,), "a mean of 1.6 codes", ("colour.meaning",),
          _picture(lambda base, _: f"scale=in_range={'pc' if base.output.full_range else 'tv'}:"
                   f"out_range={'tv' if base.output.full_range else 'pc'}:{_PLAIN_SCALE}")),
    Fault("tag-in-bitstream", "colour", (), (6,), "any contradiction, or a mean of 1.6 codes", ("tags.agree", "colour.meaning"),
          _bitstream("matrix_coefficients={strength}", "matrix_coefficients={strength}"),
          lambda base: _tagged(base) and base.output.matrix_by_rule() == 709 and base.output.path.suffix == ".mp4" and _coloured(base)),
    Fault("tag-in-container", "colour", (), (1,), "any contradiction", ("tags.agree",), _container_matrix,
          lambda base: _tagged(base) and base.output.matrix_by_rule() == 709 and b"colrnclx" in base.output.path.read_bytes()),
    Fault("tags-removed", "colour", (), (2,), "where the reference states its colours", ("tags.present", "tags.agree"),
          _bitstream("colour_primaries=2:transfer_characteristics=2:matrix_coefficients={strength}",
                     "colour_primaries=2:transfer_characteristics=2:matrix_coefficients={strength}"),
          lambda base: _tagged(base) and base.reference.matrix is not None and base.output.path.suffix in {".mkv", ".mp4"}),
    Fault("range-tag", "colour", (), (1,), "a mean of 1.6 codes", ("colour.meaning", "tags.agree"),
          _bitstream("video_full_range_flag={strength}", "video_full_range_flag={strength}"),
          lambda base: _tagged(base) and not base.output.full_range),
    Fault("siting-tag", "colour", (), (1,), "0.25 luma pixels, where chroma has edges", ("colour.siting",),
          _bitstream("chroma_sample_loc_type={strength}", "chroma_sample_loc_type={strength}"),
          lambda base: _tagged(base) and "420" in base.output.pixel_format and base.colour >= 20 and base.detail >= 3),
    Fault("chroma-shifted", "colour", (), (1, 2), "0.25 luma pixels, where chroma has edges", ("colour.siting", "picture.local"),
          _picture(lambda _, px: f"chromashift=cbh={int(px)}:crh={int(px)}"),
          lambda base: base.colour >= 20 and base.detail >= 3 and _plain8(base)),
    Fault("one-plane-shifted", "colour", (), (2, 4), "0.25 luma pixels, where chroma has edges", ("colour.siting", "picture.local", "colour.meaning"),
          _picture(lambda _, px: f"chromashift=crh={int(px)}"),
          lambda base: base.colour >= 20 and base.detail >= 3 and _plain8(base)),
    Fault("truncated-codes", "colour", (), (0.5,), "a mean of -0.28 codes over at least 10 flat colours", ("colour.bias",),
          _picture(lambda *_: "geq=lum='lum(X,Y)-mod(X+Y,2)':cb='cb(X,Y)-mod(X+Y,2)':cr='cr(X,Y)-mod(X+Y,2)'"),
          lambda base: _plain8(base) and base.output.width <= 640 and base.clip.startswith(("shapes", "fractal", "sd-601", "untagged"))),
    Fault("gamma", "colour", (1.02,), (1.15, 1.4), "a mean of 1.6 codes", _COLOUR, _picture(lambda _, g: f"eq=gamma={g}"), _plain8),
    Fault("brighter", "colour", (0.01, 0.03), (0.06, 0.1), "a mean of 1.6 codes", (*_COLOUR, "picture.quality"),
          _picture(lambda _, b: f"eq=brightness={b}"), _plain8),
    Fault("hue", "colour", (2,), (15, 40), "a mean of 1.6 codes", _COLOUR, _picture(lambda _, h: f"hue=h={h}"),
          lambda base: _coloured(base) and _plain8(base)),
    Fault("saturation", "colour", (0.97,), (0.75, 1.4), "a mean of 1.6 codes", _COLOUR, _picture(lambda _, s: f"hue=s={s}"),
          lambda base: _coloured(base) and _plain8(base)),
    Fault("cb-cr-swapped", "colour", (), (1,), "a mean of 1.6 codes", ("colour.meaning",), _picture(lambda *_: "swapuv"), _coloured),
    Fault("levels-lost", "colour", (), (252, 248), "luma levels in steps of 2 and more", ("colour.levels", "colour.bias", "colour.meaning"),
          _picture(lambda _, mask: f"lutyuv=y='bitand(val,{int(mask)})'"), _plain8),
    Fault("depth-cut", "colour", (), (6, 5), "bits of depth lost", ("colour.levels", "colour.bias", "colour.meaning", "picture.depth", "colour.depth"),
          _picture(lambda _, bits: f"lutyuv=y='bitand(val,{1024 - (1 << (10 - int(bits)))})'"),
          lambda base: "10le" in base.output.pixel_format and "10" in base.reference.pixel_format),
    Fault("cropped", "geometry", (), (8, 24), "0.2 px, where there are edges", ("picture.place", *_PICTURE, "picture.edges", "picture.sharpness"),
          _picture(lambda base, px: f"crop=iw-{int(px)}:ih-{int(px)},scale={base.output.width}:{base.output.height}:flags=bicubic"), _fine),
    Fault("shifted", "geometry", (), (1, 2), "0.2 px, where there are edges", ("picture.place",),
          _picture(lambda _, px: f"crop=iw-{int(px)}:ih:{int(px)}:0,pad=iw+{int(px)}:ih:0:0" if px > 1 else
                   "split[p][q];[q]crop=iw-2:ih:1:0,scale=iw+2:ih[r];[p]crop=iw-1:ih:0:0,pad=iw+1:ih:1:0[s];[r]nullsink;[s]null"),
          lambda base: _fine(base) and "444" in base.output.pixel_format or _fine(base)),
    Fault("scaled-up-from-half", "geometry", (), (2, 3), "65% of the finest detail", ("picture.sharpness", "picture.quality", "picture.local"),
          _picture(lambda base, n: f"scale=iw/{n}:-2,scale={base.output.width}:{base.output.height}:flags=bicubic"), _fine),
    Fault("pixel-aspect", "geometry", (), (1.33, 2), "another size than the reference's", ("picture.size",),
          _picture(lambda base, aspect: f"setsar={aspect * float(base.output.sample_aspect)}")),
    Fault("rotated", "geometry", (), (90, 180), "any turn", ("picture.orientation", "picture.size"), _rotated,
          lambda base: base.output.path.suffix in {".mp4", ".mov"} and not base.output.rotation),
    Fault("mirrored", "geometry", (), (1,), "any flip of a picture that is not symmetric", ("picture.orientation", "picture.same"), _picture(lambda *_: "hflip"), _fine),
    Fault("upside-down", "geometry", (), (1,), "any flip of a picture that is not symmetric", ("picture.orientation", "picture.same"), _picture(lambda *_: "vflip"), _fine),
    Fault("padded", "geometry", (), (8, 32), "borders, and 0.2 px", ("picture.edges", "picture.place", *_PICTURE),
          _picture(lambda base, px: f"scale=iw-{int(px)}:ih-{int(px)},pad={base.output.width}:{base.output.height}:{int(px) // 2}:{int(px) // 2}")),
    Fault("other-size", "geometry", (), (0.75, 0.5), "any other size", ("picture.size",),
          _picture(lambda base, share: f"scale={int(base.output.width * share) // 2 * 2}:{int(base.output.height * share) // 2 * 2}")),
    Fault("bit-errors", "damage", (), (6, 20), "what the decoder notices, or 24 codes of a block",
          ("file.decodes", *_PICTURE, "audio.decodes", "frames.missing", "frames.frozen", "frames.repeated", "frames.last", "file.frame_count"),
          _bit_errors, lambda base: base.output.path.suffix in {".mp4", ".mov"}),
    Fault("cut-off-file", "damage", (), (0.15, 0.5), "any frame that does not decode",
          ("file.decodes", "frames.last", "file.frame_count", "time.duration"), _truncated),
    Fault("wrong-macroblocks", "damage", (), (16, 48), "24 codes of an 8x8 block", ("picture.local", "frames.readable", "picture.outliers"),
          _picture(lambda base, side: "drawbox=x={}:y={}:w={}:h={}:c=magenta:t=fill:enable='{}'".format(
              *_box(base, side)[:2], *[_box(base, side)[2]] * 2, _between(base, 2)))),
    Fault("blurred", "quality", (0.4,), (1.6, 3), "65% of the finest detail", ("picture.sharpness", "picture.quality", "picture.local"),
          _picture(lambda _, sigma: f"gblur=sigma={sigma}"), _fine),
    Fault("banded", "quality", (), (240, 224), "luma levels in steps of 2 and more", ("colour.levels", "colour.bias", "colour.meaning", "picture.quality"),
          _picture(lambda _, mask: f"lutyuv=y='bitand(val,{int(mask)})+8'"), _plain8),
    Fault("bitrate-collapse", "quality", (34,), (51,), "10 dB below the median and below 34 dB, or 24 codes of a block",
          (*_PICTURE, "picture.sharpness"), _collapse, lambda base: base.output.codec in {"h264", "hevc"} and base.detail >= 5 and _flows(base)),
    Fault("text-illegible", "quality", (), (3, 6), "24 codes of a block, or 65% of the finest detail",
          ("picture.local", "picture.sharpness", "picture.quality"),
          _picture(lambda _, sigma: f"split[p][q];[q]crop=iw/2:ih/2:iw/4:ih/4,gblur=sigma={sigma}[r];[p][r]overlay=x=main_w/4:y=main_h/4:format=auto"),
          lambda base: base.clip.startswith("text") or base.clip == "variable-screen"),
)  # fmt: skip
"""In the order of the table."""
