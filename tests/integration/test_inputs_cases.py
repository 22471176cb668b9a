"""Files that once went wrong, which lie beside the checkout: each read rightly, or refused in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.decode.audio import read_audio
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.oracle import nv12_to_rgb

FAST = ExportOptions(encoder=EncoderSettings(preset="ultrafast", qp=10))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.mp4"


def pictures_of(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Time in seconds and packed 4:2:0 samples of every frame."""
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray().astype(np.uint8)) for frame in container.decode(video=0)]


def tones_of(path: Path) -> tuple[float, list[float]]:
    """Length in seconds of the first second's strongest tone and of the last one's, in Hz."""
    info = probe_source(path)
    samples = np.concatenate(
        [frame.to_ndarray()[0] for frame in read_audio(path, info.origin_s, warn=pytest.fail)], axis=0
    )
    seconds = (samples[:48000], samples[-48000:])
    tones = [float(np.argmax(np.abs(np.fft.rfft(second * np.hanning(len(second)))))) for second in seconds]
    return len(samples) / 48000, tones


@pytest.mark.usefixtures("gpu")
def test_rgb_of_720_lines_keeps_its_colours(cases: Path, output: Path) -> None:
    export(cases / "rgb720.mov", output, FAST)

    with av.open(str(cases / "rgb720.mov")) as container:
        want = next(container.decode(video=0)).to_ndarray(format="rgb24")
    height = want.shape[0]
    packed = pictures_of(output)[0][1]
    chroma = packed[height:].reshape(2, height // 2, -1).transpose(1, 2, 0)
    got = nv12_to_rgb(packed[:height], np.ascontiguousarray(chroma), ColourSpec()) * 255
    # The middles of the bars; 4:2:0 at qp 10 costs a few codes, BT.601 for BT.709 costs 30.
    at = (slice(300, 301), slice(80, 1280, 160))
    assert np.abs(got[at] - want[at].astype(float)).max() < 6


@pytest.mark.usefixtures("gpu")
def test_pixel_aspect_of_a_webm_counts(cases: Path, output: Path) -> None:
    report = export(cases / "container_aspect.webm", output, FAST)

    assert (report.width, report.height) == (240, 180)


@pytest.mark.usefixtures("gpu")
def test_avi_with_bi_predicted_frames_has_even_steps(cases: Path, output: Path) -> None:
    report = export(cases / "h264_bframes.avi", output, FAST)

    times = [time_s for time_s, _ in pictures_of(output)]
    assert len(times) == 60
    assert times == pytest.approx([number / 30 for number in range(60)], abs=1e-4)
    assert report.warnings == ()


def test_only_the_own_program_is_heard(cases: Path) -> None:
    _, tones = tones_of(cases / "two_programs.ts")

    assert tones == pytest.approx([440, 440], abs=1)
    assert probe_source(cases / "two_programs.ts").audio_streams == 1


def test_sound_whose_rate_changes_is_whole(cases: Path) -> None:
    length_s, tones = tones_of(cases / "sound_rate_change.ts")

    assert length_s == pytest.approx(2.0, abs=0.05)
    assert tones == pytest.approx([440, 440], abs=1)


@pytest.mark.usefixtures("gpu")
def test_a_picture_with_exif_is_exported(cases: Path, output: Path) -> None:
    assert export(cases / "exif1.jpg", output, FAST).frames == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("matrix_change.ts", "changes at frame 60 from BT.709"),
        ("hostile/av1-silent.mkv", "11 frames decode"),
        ("hostile/late-sound-24d.mp4", "starts 596 h 31 min after its picture"),
        ("hostile/edit_list/p.m3u8", "starts 58 h 15 min after its picture"),
        ("hostile/wide.png", "60000x1"),
        ("hostile/huge_pixel_aspect.mp4", "2147483647:3"),
        ("hostile/video_without_decoder.mp4", "no decoder"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(name: str, words: str, cases: Path, output: Path) -> None:
    with pytest.raises(SourceError) as caught:
        export(cases / name, output, FAST)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == (1 if isinstance(caught.value, DamagedStreamError) else 2)
    assert not output.exists()


def test_damaged_av1_is_salvaged_with_a_word(cases: Path) -> None:
    warnings: list[str] = []

    frames = list(read_frames(cases / "hostile/av1-silent.mkv", warn=warnings.append, salvage=True))

    assert len(frames) == 11
    assert any("damaged from frame 11 on" in warning for warning in warnings)


@pytest.mark.usefixtures("gpu")
def test_sound_without_a_decoder_is_left_out_with_a_word(cases: Path, output: Path) -> None:
    report = export(cases / "hostile/sound_without_decoder.mp4", output, FAST)

    assert report.frames == 12
    assert any("sound tracks" in warning for warning in report.warnings)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("rate", [None, Fraction(30)])
def test_a_frame_that_claims_days_is_shown_for_a_moment(rate: Fraction | None, cases: Path, output: Path) -> None:
    report = export(
        cases / "hostile/long-last-frame.mp4", output, ExportOptions(fps=rate, encoder=EncoderSettings(qp=10))
    )

    assert report.frames == 2
    assert report.duration_s is not None
    assert report.duration_s < 1
    assert any("claims to last 58 h" in warning for warning in report.warnings)
