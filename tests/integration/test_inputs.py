"""Every real clip exports, or fails, as it should.

Expected frames and times were read with the program ffprobe, whose decoder and clock share nothing with the export's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.errors import DamagedStreamError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.pipeline.job import prepare

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
    "b_pyramid_800x640.mp4": Clip(120, (1138, 640), 4.0),  # pixels are 64:45: 1137.8
    "bt601_full_range_320x240.mp4": Clip(60, (320, 240), 2.0),
    "bt601_limited_range_320x240.mp4": Clip(60, (320, 240), 2.0),
    "bt709_full_range_1280x720.mp4": Clip(30, (1280, 720), 1.0),
    "discard_first_keyframe_64x64.mp4": Clip(25, (64, 64), 1.0, warning="claims 30 frames, 25 decoded"),
    "edit_list_positive_shift_1920x1080.mp4": Clip(270, (1920, 1080), 10.0, begin_s=1.0, sound_s=10.005),
    "h264_10bit_200x200.mp4": Clip(30, (200, 200), 1.0),
    "hls/playlist.m3u8": Clip(30, (1080, 720), 1.001, sound_s=1.088),
    "nasa_rotated90_480x270.mp4": Clip(17, (270, 480), 17 * 1001 / 30000),
    "nasa_two_audio_320x180.mp4": Clip(325, (320, 180), 13.0, sound_s=13.056),
    "non_zero_start_200x112.mp4": Clip(12, (200, 112), 0.4),  # pixels are 224:225: 199.1
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

    with pytest.raises(DamagedStreamError, match=rf"{good} frames decode, up to {until_s:.3f} s.*--salvage") as caught:
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
