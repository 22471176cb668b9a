"""Every real clip exports, or fails, as it should; made ones for what no real clip shows.

Expected frames and times were read with the program ffprobe, whose decoder and clock share nothing with the export's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.colour import ChromaSiting, ColourSpec, Matrix, Range
from capbench.errors import ColourError, DamagedStreamError, SourceError
from capbench.pipeline.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.pipeline.job import prepare
from capbench.pipeline.planes import plane_samples
from capbench.pipeline.source import probe_source

FAST = EncoderSettings(preset="ultrafast")


@dataclass(frozen=True, slots=True)
class Clip:
    """What an export of a real clip must be."""

    frames: int
    size: tuple[int, int]
    """Output size when none is asked for."""
    end_s: float
    """When the last frame's time on screen ends."""
    begin_s: float = 0.0
    """When the first frame is shown, the sound starting at 0."""
    sound_s: float | None = None
    """Length of the sound."""
    warning: str = ""


CLIPS = {
    "b_pyramid_800x640.mp4": Clip(120, (1136, 640), 4.0),  # pixels are 64:45
    "bt601_full_range_320x240.mp4": Clip(60, (320, 240), 2.0),
    "bt601_limited_range_320x240.mp4": Clip(60, (320, 240), 2.0),
    "bt709_full_range_1280x720.mp4": Clip(30, (1280, 720), 1.0),
    "discard_first_keyframe_64x64.mp4": Clip(25, (64, 64), 1.0, warning="claims 30 frames, 25 decoded"),
    "edit_list_positive_shift_1920x1080.mp4": Clip(270, (1920, 1080), 10.0, begin_s=1.0, sound_s=10.005),
    "h264_10bit_200x200.mp4": Clip(30, (200, 200), 1.0),
    "hls/playlist.m3u8": Clip(30, (1080, 720), 1.001, sound_s=1.088),
    "nasa_rotated90_480x270.mp4": Clip(17, (270, 480), 17 * 1001 / 30000),
    "nasa_two_audio_320x180.mp4": Clip(325, (320, 180), 13.0, sound_s=13.056),
    "non_zero_start_200x112.mp4": Clip(12, (198, 112), 0.4),  # pixels are 224:225
    "odd_444_321x241.mp4": Clip(25, (320, 240), 1.0),
    "partially_fragmented_1080x720.mp4": Clip(
        30,
        (1080, 720),
        32 * 1001 / 30000,
        begin_s=2 * 1001 / 30000,
        sound_s=1.156,
        warning="claims 4 frames, 30 decoded",
    ),
    "rotated180_568x320.mov": Clip(3, (568, 320), 0.1),
    "shorter_audio_320x240.mp4": Clip(72, (320, 240), 1.2, sound_s=0.766),
    "video_only_1080x720.mp4": Clip(30, (1080, 720), 1.001),
}
DAMAGED = {
    # frames before the damage, time of the last of them, frames that decode in all
    "corrupted_1280x720.mp4": (28, 2.7, 49),
    "invalid_nalu_1080x720.mp4": (26, 25 * 1001 / 30000, 29),
}


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", CLIPS)
def test_clip_exports_whole_and_on_time(name: str, media: Path, tmp_path: Path) -> None:
    clip, output = CLIPS[name], tmp_path / "out.mp4"
    assert prepare(media / name, output, ExportOptions()).canvas.width == clip.size[0]
    assert prepare(media / name, output, ExportOptions()).canvas.height == clip.size[1]

    # Small: this is about which frames come out and when.
    report = export(media / name, output, ExportOptions(height=64, encoder=FAST))

    assert report.frames == clip.frames
    assert report.fallbacks == ()
    assert len(report.warnings) == bool(clip.warning)
    assert clip.warning in "".join(report.warnings)
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        packets: list[Any] = [packet for packet in container.demux(stream) if packet.size]
    begins = sorted(float(packet.pts * packet.time_base) for packet in packets)
    assert len(begins) == clip.frames
    assert begins[0] == pytest.approx(clip.begin_s, abs=1e-4)
    last = max(packets, key=lambda packet: int(packet.pts))
    assert float((last.pts + last.duration) * last.time_base) == pytest.approx(clip.end_s, abs=1e-4)
    assert report.duration_s == pytest.approx(clip.end_s - clip.begin_s, abs=1e-4)
    sound = sound_of(output)
    assert (sound is None) == (clip.sound_s is None)
    if sound is not None:
        # The last AAC frame may be cut short by the edit list or not: 1024 samples at 48 kHz.
        assert sound.shape[1] / 48000 == pytest.approx(clip.sound_s, abs=0.022)


def sound_of(path: Path) -> NDArray[np.float32] | None:
    """All samples of the only track, stereo at 48 kHz, or None."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        assert len(container.streams.audio) == 1
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.layout.name) == ("aac", 48000, "stereo")
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_clip_stops_with_what_was_good(name: str, media: Path, tmp_path: Path) -> None:
    good, until_s, _ = DAMAGED[name]

    with pytest.raises(
        DamagedStreamError, match=rf"{good} frames were good, until {until_s:.3f} s.*--salvage"
    ) as caught:
        export(media / name, tmp_path / "out.mp4", ExportOptions(height=64, encoder=FAST))

    assert caught.value.good_frames == good
    assert caught.value.good_until_s == pytest.approx(until_s, abs=1e-4)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", DAMAGED)
def test_salvage_exports_what_decodes_and_says_so(name: str, media: Path, tmp_path: Path) -> None:
    good, _, decodable = DAMAGED[name]

    report = export(media / name, tmp_path / "out.mp4", ExportOptions(height=64, encoder=FAST, salvage=True))

    assert report.frames == decodable
    assert any(f"damaged from frame {good} on" in warning for warning in report.warnings)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a clip's first picture is to be read, as its tags or their absence say."""

    kr: float
    kb: float
    full_range: bool = False
    turns: int = 0
    """Quarter turns counter-clockwise."""
    is_source: bool = True
    """Whether colours outside R'G'B' are cut off, as the export does. An output has none on the mean of a block."""


_601, _709 = (0.299, 0.114), (0.2126, 0.0722)  # ITU-R BT.601-7 item 2.5.1, BT.709-6 item 3.2
READINGS = {
    "bt601_full_range_320x240.mp4": Reading(*_601, full_range=True),
    "bt601_limited_range_320x240.mp4": Reading(*_601),
    "bt709_full_range_1280x720.mp4": Reading(*_709, full_range=True),
    "b_pyramid_800x640.mp4": Reading(*_601),
    "h264_10bit_200x200.mp4": Reading(*_601),
    "nasa_rotated90_480x270.mp4": Reading(*_709, turns=1),
    "non_zero_start_200x112.mp4": Reading(*_601),
    "odd_444_321x241.mp4": Reading(*_601),
    "rotated180_568x320.mov": Reading(*_709, turns=2),
}
MEAN_ERROR_CODES = 2.0
"""Chroma at half size blurs saturated bars into the next block; that a wrong reading is worse is asserted besides."""


def block_colours(path: Path, reading: Reading, blocks: tuple[int, int] = (12, 8)) -> NDArray[np.float64]:
    """Mean R'G'B' of blocks, so many across and down, of the first frame, then upright, in codes.

    Chroma is repeated, not interpolated, which changes a block's mean next to nothing.
    """
    with av.open(str(path)) as container:
        frame: Any = next(container.decode(video=0))
    depth = frame.format.components[0].bits
    planes = []
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8 if depth == 8 else "<u2")
        samples = samples.reshape(plane.height, -1)[:, : plane.width].astype(np.float32) / 2 ** (depth - 8)
        for axis, length in enumerate((frame.height, frame.width)):
            if samples.shape[axis] < length:
                samples = samples.repeat(2, axis).take(np.arange(length), axis)
        planes.append(samples[: frame.height // 2 * 2, : frame.width // 2 * 2])  # an odd last row or column is cut off
    luma = planes[0] / 255 if reading.full_range else (planes[0] - 16) / 219
    cb, cr = ((plane - 128) / (255 if reading.full_range else 224) for plane in planes[1:])
    red, blue = luma + 2 * (1 - reading.kr) * cr, luma + 2 * (1 - reading.kb) * cb
    green = (luma - reading.kr * red - reading.kb * blue) / (1 - reading.kr - reading.kb)
    channels = [
        np.asarray(
            Image.fromarray(channel.clip(0, 1) if reading.is_source else channel).resize(blocks, Image.Resampling.BOX),
            np.float64,
        )
        for channel in (red, green, blue)
    ]
    return np.rot90(255 * np.stack(channels, axis=-1), reading.turns)


def wrong_readings(reading: Reading) -> list[Reading]:
    """The same picture with the other matrix, and with the other range."""
    kr, kb = _601 if (reading.kr, reading.kb) == _709 else _709
    return [replace(reading, kr=kr, kb=kb), replace(reading, full_range=not reading.full_range)]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", READINGS)
def test_clip_looks_the_same_after_export(name: str, media: Path, tmp_path: Path) -> None:
    reading, output = READINGS[name], tmp_path / "out.mp4"

    # The one long clip is made smaller to save time; the others keep every pixel.
    height = 160 if name.startswith("b_pyramid") else None
    encoder = EncoderSettings(preset="ultrafast", qp=8)
    export(media / name, output, ExportOptions(path="gpu", height=height, encoder=encoder))

    expected = block_colours(media / name, reading)
    got = block_colours(output, Reading(*_709, is_source=False), (expected.shape[1], expected.shape[0]))
    error = np.abs(expected - got)
    assert error.mean() < MEAN_ERROR_CODES
    # The last row and column of blocks: where odd sizes show a green line.
    assert error[-1].mean() < 2 * MEAN_ERROR_CODES
    assert error[:, -1].mean() < 2 * MEAN_ERROR_CODES
    for wrong in wrong_readings(reading):
        assert np.abs(block_colours(media / name, wrong) - got).mean() > 2 * error.mean(), wrong


def write_clip(
    path: Path,
    times: list[int],
    *,
    time_base: Fraction = Fraction(1, 90000),
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
) -> Path:
    """A clip whose frames have these PTS, each of a grey that tells its number."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = time_base
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for number, pts in enumerate(times):
            frame: Any = av.VideoFrame(*size, "yuv420p")
            for plane, code in zip(frame.planes, (40 + 5 * number, 128, 128), strict=True):
                np.frombuffer(plane, np.uint8)[:] = code
            frame.pts, frame.time_base = pts, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> list[tuple[int, float]]:
    """Number and time of each frame of a clip that `write_clip` began."""
    with av.open(str(path)) as container:
        return [
            (round((int(plane_samples(frame.planes[0])[0, 0]) - 40) / 5), round(float(frame.time or 0), 4))
            for frame in container.decode(video=0)
        ]


PASSED_ON = ExportOptions(encoder=EncoderSettings(preset="ultrafast", qp=4), colour=ColourSpec(matrix=Matrix.BT601))
"""An untagged small source is BT.601: asked for the same, nothing is drawn and grey stays the same grey."""
VARIABLE = [0, 9000, 12000, 30000, 33000, 90000]
"""0, 0.1, 0.1333, 0.3333, 0.3667 and 1 s."""


def test_variable_rate_is_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", VARIABLE)

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    assert shown(tmp_path / "out.mp4") == [(n, round(pts / 90000, 4)) for n, pts in enumerate(VARIABLE)]
    assert report.frame_rate is None
    assert "variable" in report.unmeasured["frame_rate"]


def test_variable_rate_is_made_constant(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", VARIABLE)
    options = ExportOptions(
        path="gpu", fps=Fraction(10), encoder=EncoderSettings(preset="ultrafast", qp=4), colour=PASSED_ON.colour
    )

    report = export(source, tmp_path / "out.mp4", options)

    # What is on screen at each tenth of a second, half a tick early: 0.1333 s is shown at 0.1 s, 0.3333 and 0.3667 s
    # compete for 0.3 and 0.4 s.
    assert [number for number, _ in shown(tmp_path / "out.mp4")][:11] == [0, 2, 2, 3, 4, 4, 4, 4, 4, 4, 5]
    assert [time_s for _, time_s in shown(tmp_path / "out.mp4")][:3] == [0.0, 0.1, 0.2]
    assert report.frame_rate == "10"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mkv", "libx264"), ("ts", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"), ("h264", "libx264")],
)
def test_other_containers_keep_every_frame_in_order(suffix: str, codec: str, tmp_path: Path) -> None:
    """AVI knows no presentation times, a bare stream no times at all, WebM only milliseconds."""
    source = write_clip(tmp_path / f"in.{suffix}", list(range(12)), time_base=Fraction(1, 25), codec=codec)

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    frames = shown(tmp_path / "out.mp4")
    assert [number for number, _ in frames] == list(range(12))
    assert np.diff([time_s for _, time_s in frames]) == pytest.approx(0.04, abs=0.0011)
    assert report.warnings == ()


def test_times_that_repeat_or_start_anew_become_rising_ones(tmp_path: Path) -> None:
    """Two bare transport streams one after the other: the clock starts anew in the middle."""
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.ts", [n * 90000 for n in range(4)])
    source = tmp_path / "in.ts"
    source.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    frames = shown(tmp_path / "out.mp4")
    assert [number for number, _ in frames] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert np.all(np.diff([time_s for _, time_s in frames]) > 0)
    assert any("breaks at frame 4" in warning for warning in report.warnings)


def test_damage_at_the_very_start(tmp_path: Path) -> None:
    """The first group of pictures is gone: it is an error with nothing good, and salvage begins at the next."""
    source = write_clip(tmp_path / "in.mp4", [n * 3600 for n in range(12)], options={"g": "4", "bf": "0"})
    with av.open(str(source)) as container:
        first: Any = next(container.demux(video=0))
    data = bytearray(source.read_bytes())
    data[first.pos : first.pos + first.size] = b"\xff" * first.size
    source.write_bytes(data)

    with pytest.raises(DamagedStreamError, match="0 frames were good"):
        export(source, tmp_path / "out.mp4", PASSED_ON)
    report = export(source, tmp_path / "out.mp4", replace(PASSED_ON, salvage=True))

    assert [number for number, _ in shown(tmp_path / "out.mp4")] == list(range(4, 12))
    assert any("damaged from frame 0 on" in warning for warning in report.warnings)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(transfer: int, name: str, tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mp4", [0, 3600], tags={"color_trc": transfer, "color_primaries": 9, "colorspace": 9}
    )

    with pytest.raises(ColourError, match=f"is HDR, transfer {name}"):
        export(source, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("option", "siting"),
    [
        ({}, ChromaSiting.LEFT),
        ({"x264-params": "chromaloc=1"}, ChromaSiting.CENTRE),
        ({"x264-params": "chromaloc=2"}, ChromaSiting.LEFT),
    ],
)
def test_chroma_siting_is_read_from_the_stream(option: dict[str, str], siting: ChromaSiting, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", [0, 3600], options=option)

    assert probe_source(source).colour == ColourSpec(Matrix.BT601, Range.LIMITED, siting)


def test_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(64, 48, "yuvj420p")
        frame.pts = 0
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))

    with pytest.raises(SourceError, match="has no video stream"):
        probe_source(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mp4", b"", "is empty"),
        ("notes.txt", b"not a video\n" * 50, "not a video but text"),
        ("notes.md", b"# not a video\n" * 50, "not a video that FFmpeg can read"),
        ("list.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "not a video"),
        ("absent.mp4", None, "no such file"),
        ("folder", None, "is a folder"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    source = tmp_path / name
    if name == "folder":
        source.mkdir()
    elif content is not None:
        source.write_bytes(content)

    with pytest.raises(SourceError, match=words) as caught:
        export(source, tmp_path / "out.mp4")

    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out.mp4").exists()
