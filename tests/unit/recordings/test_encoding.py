"""What a recording is once it is encoded: marks, sound, tags and containers, read back from the files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.quality.reading.tags import read_tags
from capbench.recordings import RecordingSpec
from capbench.recordings.layout import PATCHES, LayoutRectangle
from capbench.recordings.marks import flash_level, read_frame_number
from capbench.recordings.sound import SAMPLE_RATE_HZ, beep_onsets_s, beep_pitch_hz, sample_count, second_of_sound
from capbench.recordings.write import write_recording

FLASHING_S = 2.2


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320x180, 66 frames, of poor quality."""
    path = tmp_path_factory.mktemp("mp4") / "poor.mp4"
    write_recording(RecordingSpec("poor", 320, 180, 30, FLASHING_S), path, crf=35)
    return path


@pytest.fixture(scope="module")
def playlist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320x180, 66 frames in two segments."""
    path = tmp_path_factory.mktemp("hls") / "playlist.m3u8"
    write_recording(RecordingSpec("hls", 320, 180, 30, FLASHING_S, "hls"), path)
    return path


def luma_planes(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Times in seconds and luma planes of all frames."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time), frame.to_ndarray()[: frame.height].astype(np.uint8))
            for frame in container.decode(video=0)
            if frame.time is not None
        ]


def sound_of(path: Path) -> tuple[float, NDArray[np.float32]]:
    """Time of the first sample in seconds, and all samples of both channels."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].time is not None
    return float(frames[0].time), np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def test_every_frame_number_survives_poor_quality(mp4: Path) -> None:
    assert [read_frame_number(luma) for _, luma in luma_planes(mp4)] == list(range(66))


@pytest.mark.parametrize(("left", "top"), [(64, 36), (10.5, 3.25)])
def test_every_frame_number_and_flash_survive_a_smaller_rectangle(mp4: Path, left: float, top: float) -> None:
    """Poor quality at 320x180, then 60%: the cells are 3.1 by 3.8 pixels."""
    mask = Image.new("L", (320, 180), 0)
    ImageDraw.Draw(mask).rounded_rectangle((left, top, left + 192, top + 108), radius=8, fill=255)
    background = Image.linear_gradient("L").resize((320, 180))
    read, flashes = [], []
    for _, luma in luma_planes(mp4):
        inverse = (1 / 0.6, 0, -left / 0.6, 0, 1 / 0.6, -top / 0.6)
        small = Image.fromarray(luma).transform(
            (320, 180), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=0
        )
        picture = np.asarray(Image.composite(small, background, mask))
        read.append(read_frame_number(picture, LayoutRectangle(left, top, 192, 108)))
        flashes.append(flash_level(picture, LayoutRectangle(left, top, 192, 108)))

    assert read == list(range(66))
    assert [number for number, level in enumerate(flashes) if level is None or level > 0.5] == [
        *(0, 1, 2, 30, 31, 32, 60, 61, 62)
    ]


@pytest.mark.parametrize("source", ["mp4", "playlist"])
def test_flash_and_beep_start_together(source: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(source)
    frames = luma_planes(path)
    levels = [flash_level(luma) or 0.0 for _, luma in frames]
    flashes = [frames[n][0] for n in range(66) if levels[n] > 0.5 and (n == 0 or levels[n - 1] <= 0.5)]
    start_s, samples = sound_of(path)

    for channel in samples:
        beeps = [start_s + onset for onset in beep_onsets_s(channel, SAMPLE_RATE_HZ)]
        # The ramp takes half a millisecond to reach the detector's threshold; AAC and HLS time stamps blur another.
        assert beeps == pytest.approx(flashes, abs=0.002)
    assert [flash - flashes[0] for flash in flashes] == pytest.approx([0, 1, 2], abs=1e-6)


def test_beeps_have_the_pitch_of_their_second(mp4: Path) -> None:
    _, samples = sound_of(mp4)

    for second in range(3):
        beep = samples[0, second * SAMPLE_RATE_HZ :][: SAMPLE_RATE_HZ // 10]
        spectrum = np.abs(np.fft.rfft(beep * np.hanning(beep.size)))
        assert np.argmax(spectrum) * 10 == beep_pitch_hz(second)


def test_sound_is_as_long_as_the_picture_and_the_same_every_time() -> None:
    spec = RecordingSpec("x", 160, 90, Fraction(30000, 1001), 2.5)
    sound = np.concatenate([second_of_sound(spec, second) for second in range(3)], axis=1)

    assert sound.shape == (2, sample_count(spec)) == (2, round(75 * 1001 / 30000 * 48000))
    np.testing.assert_array_equal(second_of_sound(spec, 1), second_of_sound(spec, 1))
    assert beep_onsets_s(sound[0], 48000) == pytest.approx([0, 30 * 1001 / 30000, 60 * 1001 / 30000], abs=0.0006)


def test_no_beeps_in_silence() -> None:
    assert beep_onsets_s(np.zeros(48000, np.float32), 48000) == []


@pytest.mark.parametrize("source", ["mp4", "playlist"])
def test_streams_say_what_they_are(source: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(source)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.format.name) == ("h264", "yuv420p")
        assert (video.width, video.height) == (320, 180)
        assert (audio.codec_context.name, audio.rate, audio.layout.name) == ("aac", 48000, "stereo")

    tags = read_tags(path)
    assert (tags.bitstream.matrix, tags.bitstream.primaries, tags.bitstream.transfer) == (1, 1, 1)
    assert tags.bitstream.full_range is False
    assert tags.bitstream.chroma_location in (None, 0)  # H.264 means left by both
    if source == "mp4":
        assert tags.container is not None
        assert (tags.container.matrix, tags.container.primaries, tags.container.transfer) == (1, 1, 1)
        assert tags.container.full_range is False


def test_init_segment_carries_the_tags(playlist: Path) -> None:
    box = playlist.with_name("init.mp4").read_bytes().split(b"colr")[1]

    assert box[:11] == b"nclx" + bytes([0, 1, 0, 1, 0, 1, 0])


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(25, 2)])
def test_rate_is_exact_and_key_frames_are_two_seconds_apart(rate: Fraction, tmp_path: Path) -> None:
    path = tmp_path / "rate.mp4"
    write_recording(RecordingSpec("rate", 160, 90, rate, 4.5), path)

    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == rate
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        assert all(packet.time_base is not None for packet in packets)
        times = sorted(packet.pts * packet.time_base for packet in packets if packet.pts is not None)
        keys = [
            packet.pts * packet.time_base * rate for packet in packets if packet.is_keyframe and packet.pts is not None
        ]

    assert times == [number / rate for number in range(round(rate * Fraction(9, 2)))]
    assert keys == [0, round(2 * rate), 2 * round(2 * rate)]


def test_hls_folder_is_whole_and_names_only_its_own_files(playlist: Path) -> None:
    lines = playlist.read_text().splitlines()

    assert {path.name for path in playlist.parent.iterdir()} == {
        "playlist.m3u8",
        "init.mp4",
        "segment000.m4s",
        "segment001.m4s",
    }
    assert '#EXT-X-MAP:URI="init.mp4"' in lines
    assert [line for line in lines if line and not line.startswith("#")] == ["segment000.m4s", "segment001.m4s"]
    assert lines[-1] == "#EXT-X-ENDLIST"


def test_hls_decodes_to_every_frame_once(playlist: Path) -> None:
    assert [read_frame_number(luma) for _, luma in luma_planes(playlist)] == list(range(66))


def test_two_builds_decode_to_the_same_frames(mp4: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.mp4"
    write_recording(RecordingSpec("again", 320, 180, 30, 0.5), again, crf=35)

    # The first frame is a key frame: what follows in a longer recording cannot change it.
    np.testing.assert_array_equal(luma_planes(mp4)[0][1], luma_planes(again)[0][1])


def test_colours_survive_encoding(playlist: Path) -> None:
    """FFmpeg's own reading of the file, which goes by its tags, against the published colours."""
    with av.open(str(playlist)) as container:
        frame = next(container.decode(video=0))
        rgb = frame.to_ndarray(format="rgb24").astype(float)

    for patch in PATCHES:
        found = rgb[patch.sample.pixels(320, 180)].mean(axis=(0, 1))
        # CRF 18 moves a small flat patch by one or two codes of chroma; the wrong matrix would be off by 20 and more.
        assert found == pytest.approx(patch.rgb, abs=6), patch.name
