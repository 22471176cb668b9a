"""What is exported: a made variety of clips, and the real ones that lie beside the checkout."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from capbench.recordings import RecordingSpec
from capbench.recordings.write import write_recording
from tests.strangers.tool_programs import FileCache, content_key, run_tool, version_of

__all__ = ["CASE_CLIPS", "COUNTER_CELLS", "MADE_CLIPS", "MEDIA_CLIPS", "Clip", "all_clips"]

COUNTER_CELLS: Final = 10
"""Squares at the top of a counted clip, each a bit of the frame's number, the most significant first."""
_COUNTER_SIZE: Final = (320, 180)

X264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "12")
X265: Final = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-x265-params", "log-level=error")
VP9: Final = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-crf", "18", "-b:v", "0")
AV1: Final = ("-c:v", "libsvtav1", "-preset", "10", "-crf", "18")
MPEG2: Final = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2")
PRORES: Final = ("-c:v", "prores_ks", "-profile:v", "2")
MJPEG: Final = ("-c:v", "mjpeg", "-q:v", "2")
BT709: Final = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
BT601: Final = (
    *("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-color_range", "tv"),
)
BT2020: Final = (
    "-colorspace",
    "bt2020nc",
    "-color_primaries",
    "bt2020",
    "-color_trc",
    "bt2020-10",
    "-color_range",
    "tv",
)
FULL709: Final = (*BT709[:-1], "pc")

_LEFT: Final = "0.4*sin(2*PI*(300+90*t)*t)*gt(mod(t,0.37),0.12)"
_RIGHT: Final = "0.35*sin(2*PI*(1300-350*t)*t)*gt(mod(t+0.1,0.53),0.25)"
_CENTRE: Final = "0.2*sin(2*PI*(900-100*t)*t)*gt(mod(t,0.29),0.1)"
_REAR_LEFT: Final = "0.15*sin(2*PI*(500+200*t)*t)*gt(mod(t,0.41),0.2)"
_REAR_RIGHT: Final = "0.15*sin(2*PI*(700-120*t)*t)*gt(mod(t,0.47),0.2)"
MONO: Final = _LEFT
STEREO: Final = f"{_LEFT}|{_RIGHT}"
SURROUND: Final = f"{_LEFT}|{_RIGHT}|{_CENTRE}|0.1*sin(2*PI*50*t)|{_REAR_LEFT}|{_REAR_RIGHT}:c=5.1"
AAC: Final = ("-c:a", "aac", "-b:a", "160k")
OPUS: Final = ("-c:a", "libopus", "-b:a", "128k")
MP2: Final = ("-c:a", "mp2", "-b:a", "192k")
PCM: Final = ("-c:a", "pcm_s16le")
FLAC: Final = ("-c:a", "flac")
MOVED: Final = "testsrc2=s={size}:r={rate}"
"""Moving shapes, a gradient and digits."""
TEXT: Final = "text"
"""A page of letters that scrolls, drawn by Pillow."""
COUNTER: Final = "counter"
"""Noise that moves below squares that spell the frame's number, drawn by NumPy."""
MARKED: Final = "marked"
"""A recording of `capbench media`, with its numbers, flashes, beeps and patches."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A source that others' exporters are given."""

    name: str
    """Unique."""
    family: str
    """What it stands for: the confusion table counts by it."""
    picture: str | Path = MOVED
    """A source of FFmpeg's lavfi with {size} and {rate}, or the file itself where it is not made."""
    size: tuple[int, int] = (320, 180)
    """Width and height as coded."""
    rate: str = "30"
    """Frames a second of the source."""
    seconds: float = 1.2
    """Length."""
    filters: str = "null"
    """Filters behind the source."""
    pixel_format: str = "yuv420p"
    """FFmpeg's name."""
    encoder: tuple[str, ...] = X264
    """Options of FFmpeg."""
    tags: tuple[str, ...] = BT709
    """Options of FFmpeg that state the colours."""
    sound: str | None = None
    """Expressions of FFmpeg's aevalsrc, one a channel."""
    sound_rate: int = 48000
    """Samples a second."""
    sound_encoder: tuple[str, ...] = AAC
    """Options of FFmpeg."""
    container: str = ".mp4"
    """Suffix of the file."""
    options: tuple[str, ...] = field(default=())
    """Further options of FFmpeg in front of the output."""
    rotation: int = 0
    """Degrees of the display matrix, of an MP4 or MOV file."""

    @property
    def is_made(self) -> bool:
        """Whether this study makes it."""
        return isinstance(self.picture, str)

    def make(self, cache: FileCache) -> Path:
        """The file, made where it is absent. Raises `ToolError`."""
        if isinstance(self.picture, Path):
            return self.picture
        key = content_key(self, version_of("ffmpeg"), *self._recipe())
        return cache.get(self.name, self.container, key, self._write_turned if self.rotation else self._write)

    def _conversion(self) -> str:
        """The filters, and the conversion from R'G'B' that the tags promise."""
        if self.filters.startswith("raw,"):
            return self.filters.removeprefix("raw,")
        stated = dict(zip(self.tags[::2], self.tags[1::2], strict=True))
        name = stated.get("-colorspace", "bt709" if self.size[1] >= 720 else "bt601")
        matrix = {"smpte170m": "bt601", "bt2020nc": "bt2020"}.get(name, name)
        full = stated.get("-color_range") == "pc" or self.pixel_format.startswith("yuvj")
        span = "pc" if full else "tv"
        flags = "flags=bicubic+accurate_rnd+full_chroma_int"
        return f"{self.filters},scale=out_color_matrix={matrix}:out_range={span}:{flags},format={self.pixel_format}"

    def _timing(self) -> tuple[str, ...]:
        # Without a fine time base FFmpeg rounds uneven times to the mean rate.
        fine = ("-enc_time_base", "1:90000") if self.family == "variable" else ()
        return ("-fps_mode", "passthrough", *fine)

    def _write_turned(self, path: Path) -> None:
        upright = path.with_suffix(f".upright{path.suffix}")
        try:
            self._write(upright)
            # FFmpeg 5.1 makes a display matrix of this only where it copies.
            turn = ("-metadata:s:v:0", f"rotate={self.rotation}")
            run_tool(["ffmpeg", "-v", "error", "-y", "-i", upright, "-map", "0", "-c", "copy", *turn, path])
        finally:
            upright.unlink(missing_ok=True)

    def _recipe(self) -> tuple[object, ...]:
        """What else its bytes depend on."""
        return ()

    def _picture_input(self, frames: int) -> tuple[list[str], bytes | None]:
        """FFmpeg's options for the source of so many pictures, and what it reads from standard input."""
        assert isinstance(self.picture, str)
        width, height = self.size
        if self.picture in {TEXT, COUNTER}:
            raw = b"".join(_text_frames(self.size, frames) if self.picture == TEXT else _counted_frames(frames))
            return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", self.rate, "-i", "-"], raw
        lavfi = self.picture.format(size=f"{width}x{height}", rate=self.rate)
        # Drawn as R'G'B': codes of FFmpeg's sources in Y'CbCr mean colours that no screen shows.
        rgb = "" if self.filters.startswith("raw") else ",format=gbrp"
        return ["-f", "lavfi", "-i", f"{lavfi},trim=end_frame={frames}{rgb}"], None

    def _sound_input(self, _folder: Path) -> list[str]:
        """FFmpeg's options for the source of the sound, which may lie in a folder; none without."""
        if self.sound is None:
            return []
        expressions = self.sound.removesuffix(":c=5.1")
        layout = ":c=5.1" if expressions != self.sound else ""
        return ["-f", "lavfi", "-i", f"aevalsrc='{expressions}'{layout}:s={self.sound_rate}:d={self.seconds}"]

    def _write(self, path: Path) -> None:
        width, height = self.size
        if self.picture == MARKED:
            seconds, rate = Fraction(str(self.seconds)), Fraction(self.rate)
            write_recording(RecordingSpec(self.name, width, height, rate, float(seconds), "mp4"), path)
            return
        source, stdin = self._picture_input(round(Fraction(self.rate) * Fraction(str(self.seconds))))
        with tempfile.TemporaryDirectory() as folder:
            sound = self._sound_input(Path(folder))
            run_tool(
                [
                    *("ffmpeg", "-v", "error", "-y", "-threads", "2", *source, *sound, "-vf", self._conversion()),
                    *("-pix_fmt", self.pixel_format, *self.encoder, *self.tags),
                    *(self.sound_encoder if sound else ()),
                    *self._timing(),
                    *self.options,
                    path,
                ],
                stdin=stdin,
            )


def _text_frames(size: tuple[int, int], frames: int) -> Iterator[bytes]:
    """A page of letters that moves up by two pixels a frame; bytes of RGB."""
    width, height = size
    page = Image.new("RGB", (width, height + 2 * frames), (246, 246, 243))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(13)
    line = "def export(source, target): return render(source).to(target)  # 0123456789 the quick brown fox"
    for row, top in enumerate(range(4, page.height, 17)):
        colour = ((25, 25, 30), (150, 30, 40), (30, 60, 150), (20, 110, 50))[row % 4]
        draw.text((6 + 9 * (row % 5), top), line[row % 11 :], fill=colour, font=font)
    pixels = np.asarray(page)
    for frame in range(frames):
        yield pixels[2 * frame : 2 * frame + height].tobytes()


def _counted_frames(frames: int) -> Iterator[bytes]:
    """Squares that spell the frame's number above soft noise that moves; bytes of RGB."""
    width, height = _COUNTER_SIZE
    noise = np.random.default_rng(17).integers(40, 215, (height // 10, (width + 4 * frames) // 10 + 2, 3))
    wide = np.kron(noise, np.ones((10, 10, 1))).astype(np.uint8)
    for frame in range(frames):
        picture = wide[:height, 4 * frame : 4 * frame + width].copy()
        for bit in range(COUNTER_CELLS):
            is_set = frame >> (COUNTER_CELLS - 1 - bit) & 1
            picture[:32, 32 * bit : 32 * bit + 32] = 235 if is_set else 20
        yield picture.tobytes()


_LONG_STILL: Final = "select='lt(n,9)+between(n,36,44)'"
MADE_CLIPS: Final = (
    Clip("shapes-h264-mp4", "shapes", sound=STEREO),
    Clip("shapes-h264-mov", "shapes", sound=MONO, sound_rate=44100, container=".mov"),
    Clip("shapes-720p", "shapes", size=(1280, 720), seconds=0.8, sound=STEREO),
    Clip("shapes-hevc", "shapes", rate="25", encoder=X265, sound=STEREO),
    Clip("shapes-vp9-webm", "codecs", encoder=VP9, sound=STEREO, sound_encoder=OPUS, container=".webm"),
    Clip("shapes-av1-mkv", "codecs", encoder=AV1, sound=MONO, sound_encoder=OPUS, container=".mkv"),
    Clip("shapes-mpeg2-ts", "codecs", rate="25", encoder=MPEG2, sound=STEREO, sound_encoder=MP2, container=".ts"),
    Clip(
        "shapes-prores-mov",
        "depth",
        pixel_format="yuv422p10le",
        encoder=PRORES,
        sound=STEREO,
        sound_encoder=PCM,
        container=".mov",
        # Without this the container states the colours and every frame denies them.
        options=("-bsf:v", "prores_metadata=color_primaries=bt709:color_trc=bt709:colorspace=bt709"),
    ),
    Clip(
        "shapes-mjpeg-avi",
        "codecs",
        pixel_format="yuvj420p",
        encoder=MJPEG,
        tags=(),
        sound=MONO,
        sound_encoder=PCM,
        container=".avi",
    ),
    Clip("text-h264", "text", TEXT, size=(640, 360), sound=STEREO),
    Clip("text-444-mkv", "text", TEXT, pixel_format="yuv444p", sound=MONO, sound_encoder=FLAC, container=".mkv"),
    Clip("text-720p", "text", TEXT, size=(1280, 720), seconds=0.8),
    Clip("grain-h264", "grain", rate="24000/1001", filters="gblur=2,noise=alls=14:allf=t", sound=STEREO),
    Clip(
        "grain-hevc10-mkv",
        "grain",
        rate="24",
        filters="gblur=2,noise=alls=10:allf=t",
        pixel_format="yuv420p10le",
        encoder=X265,
        container=".mkv",
    ),
    Clip("fade-h264", "fade", rate="50", seconds=1.0, filters="fade=in:0:12,fade=out:38:12", sound=STEREO),
    Clip("fade-vp9-mkv", "fade", filters="fade=out:8:20:color=white", encoder=VP9, container=".mkv"),
    Clip(
        "gradient-hevc10",
        "gradient",
        "gradients=s={size}:r={rate}:c0=0x102040:c1=0xc0b090:speed=0.02:seed=3",
        pixel_format="yuv420p10le",
        encoder=X265,
    ),
    Clip(
        "gradient-h264", "gradient", "gradients=s={size}:r={rate}:c0=0x300808:c1=0x40a0e0:speed=0.03:seed=5", sound=MONO
    ),
    Clip("still-bars", "still", "smptehdbars=s={size}:r={rate}", rate="25/2", seconds=2, sound=STEREO),
    Clip("still-page", "still", "mandelbrot=s={size}:r={rate}", filters="loop=loop=-1:size=1,trim=end_frame=30"),
    Clip("variable-still", "variable", seconds=1.6, filters=_LONG_STILL, sound=STEREO),
    Clip(
        "variable-last-held",
        "variable",
        seconds=0.7,
        encoder=(*X264, "-bf", "0"),
        options=("-bsf:v", r"setts=duration=if(eq(N\,20)\,0.8/TB\,DURATION)"),
    ),
    Clip("variable-uneven", "variable", filters="setpts='PTS+mod(N*7,5)*0.004/TB'", rate="24", container=".mkv"),
    Clip(
        "variable-screen",
        "variable",
        TEXT,
        seconds=1.6,
        filters="select='not(mod(n,3))+between(n,12,20)'",
        sound=MONO,
    ),
    Clip("rate-12.5", "rate", rate="25/2", seconds=2, sound=MONO),
    Clip("rate-15", "rate", rate="15", seconds=1.6),
    Clip("rate-59.94", "rate", rate="60000/1001", seconds=0.8, sound=STEREO),
    Clip("rate-120", "rate", rate="120", seconds=0.5),
    Clip("sound-8k", "sound", sound=MONO, sound_rate=8000, seconds=1.6),
    Clip("sound-96k", "sound", sound=STEREO, sound_rate=96000, sound_encoder=FLAC, container=".mkv"),
    Clip("sound-5.1", "sound", sound=SURROUND, seconds=1.6),
    Clip("sound-late", "sound", sound=STEREO, options=("-af", "asetpts=PTS+0.4/TB"), container=".mkv"),
    Clip("odd-444", "geometry", size=(321, 181), pixel_format="yuv444p", container=".mkv"),
    Clip("aspect-16-15", "geometry", size=(180, 144), rate="25", filters="setsar=16/15", tags=BT601),
    Clip("rotated-90", "geometry", sound=STEREO, rotation=90),
    Clip("rotated-180", "geometry", container=".mov", rotation=180),
    Clip("portrait", "geometry", size=(180, 320), sound=MONO),
    Clip("rows-270", "geometry", size=(480, 270), seconds=1.0, sound=STEREO),
    Clip("depth-422-10", "depth", pixel_format="yuv422p10le", container=".mkv", sound=STEREO),
    Clip("depth-422", "depth", pixel_format="yuv422p", rate="25"),
    Clip("full-709", "tags", tags=FULL709, sound=MONO),
    Clip("sd-601", "tags", size=(320, 240), tags=BT601, rate="30000/1001", sound=STEREO),
    Clip("wide-2020", "tags", pixel_format="yuv420p10le", tags=BT2020, encoder=X265),
    Clip("out-of-gamut", "tags", filters="raw,null"),
    Clip("untagged", "tags", size=(320, 240), tags=(), sound=STEREO),
    Clip("counted-h264", "counted", COUNTER, sound=STEREO),
    Clip("marked-360", "counted", MARKED, size=(640, 360), seconds=1.5),
    Clip("marked-180", "counted", MARKED, size=(320, 180), seconds=1.5),
    Clip("counted-mkv", "counted", COUNTER, rate="25", encoder=X265, container=".mkv"),
    Clip("fractal", "fractal", "mandelbrot=s={size}:r={rate}:end_scale=0.01", size=(480, 270), sound=STEREO),
    Clip("cells", "fractal", "life=s={size}:r={rate}:mold=8:life_color=#d0c040:death_color=#203080:seed=4:ratio=0.3"),
)
"""About a second each, 2 MB in all."""

MEDIA_CLIPS: Final = (
    *("b_pyramid_800x640.mp4", "bt601_full_range_320x240.mp4", "bt601_limited_range_320x240.mp4"),
    *("bt709_full_range_1280x720.mp4", "discard_first_keyframe_64x64.mp4", "edit_list_positive_shift_1920x1080.mp4"),
    *("h264_10bit_200x200.mp4", "hls/playlist.m3u8", "nasa_rotated90_480x270.mp4", "nasa_two_audio_320x180.mp4"),
    *("non_zero_start_200x112.mp4", "odd_444_321x241.mp4", "partially_fragmented_1080x720.mp4"),
    *("rotated180_568x320.mov", "shorter_audio_320x240.mp4", "video_only_1080x720.mp4"),
)
"""Real clips that decode to their end."""
CASE_CLIPS: Final = (
    *("centre51.mp4", "container_aspect.webm", "gray_hevc.mp4", "flat_prores.mov", "h264_bframes.avi", "mjpeg.mov"),
    *("rgb720.mov", "rr_30_1.mkv", "single_frame.mp4", "stereo.mp4", "empty_sound.mkv", "outofgamut_vp8.webm"),
    *("raw_bframes.h264", "two_programs.ts", "sound_rate_change.ts"),
)
"""Files of others' bug reports that are good as a source."""


def all_clips(shared: Path | None) -> tuple[Clip, ...]:
    """The made ones, and those of the folder `shared` where there is one."""
    real: list[Clip] = []
    if shared is not None:
        for folder, names in (("media", MEDIA_CLIPS), ("cases", CASE_CLIPS)):
            for name in names:
                path = shared / folder / name
                if path.is_file():
                    # Real clips have little in common: each is a family of its own.
                    real.append(Clip(path.stem if name != "hls/playlist.m3u8" else "hls", f"{folder}/{name}", path))
    return (*MADE_CLIPS, *real)
