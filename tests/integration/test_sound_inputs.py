"""Sound of every kind goes through an export and stays with its picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from capbench.errors import SourceError
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.export import export
from capbench.recordings.marks import flash_level, read_frame_number
from capbench.recordings.sound import beep_onsets_s
from tests.sound_clips import Track, write_clip

AT_FLASHES = (0.0, 1.0)
TOLERANCE_S = 0.003
"""A beep is found within a millisecond; resampling and AAC blur its start by another two."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What came out, in seconds since the first picture."""

    numbers: list[int | None]
    flashes_s: list[float]
    beeps_s: list[float]
    audio_tracks: int
    sound_s: float


def exported(source: Path) -> Exported:
    """Export by whatever path fits, and look at the result."""
    output = source.with_name("out.mp4")
    export(source, output)
    numbers, flashes, beeps, last = [], [], [], 0.0
    with av.open(str(output)) as container:
        tracks = len(container.streams.audio)
        frames = list(container.decode(video=0))
    first_s = float(frames[0].time or 0)
    for frame in frames:
        luma = frame.to_ndarray()[: frame.height].astype(np.uint8)
        numbers.append(read_frame_number(luma))
        level = flash_level(luma) or 0.0
        if level > 0.5 >= last:
            flashes.append(float(frame.time or 0) - first_s)
        last = level
    sound_s = 0.0
    if tracks:
        with av.open(str(output)) as container:
            assert (container.streams.audio[0].rate, container.streams.audio[0].layout.name) == (48000, "stereo")
            sound = list(container.decode(audio=0))
        samples = np.concatenate([frame.to_ndarray() for frame in sound], axis=1)
        start_s = float(sound[0].time or 0) - first_s
        beeps = [start_s + onset for onset in beep_onsets_s(samples[0], 48000)]
        sound_s = start_s + samples.shape[1] / 48000
    return Exported(numbers, flashes, beeps, tracks, sound_s)


@pytest.mark.parametrize(
    ("tracks", "beeps_s"),
    [
        pytest.param([Track()], AT_FLASHES, id="ordinary"),
        pytest.param([Track(rate_hz=44_100, layout="mono")], AT_FLASHES, id="44.1-kHz-mono"),
        pytest.param([Track(rate_hz=22_050, layout="mono")], AT_FLASHES, id="22-kHz-mono"),
        pytest.param([Track(layout="5.1")], AT_FLASHES, id="5.1"),
        pytest.param([Track(end_s=1.3)], AT_FLASHES, id="short"),
        pytest.param([Track(end_s=3.5)], (0.0, 1.0, 2.0, 3.0), id="long"),
        pytest.param([Track(start_s=0.5)], (1.0,), id="late"),
        pytest.param([Track(hole_s=(0.3, 0.7))], AT_FLASHES, id="with-a-hole"),
        pytest.param([Track(), Track(beep_s=0.5)], (0.0, 0.5, 1.0, 1.5), id="two-tracks"),
        pytest.param(
            [Track(rate_hz=44_100, layout="mono"), Track(start_s=0.25, beep_s=0.5, layout="5.1")],
            (0.0, 0.5, 1.0, 1.5),
            id="two-unlike-tracks",
        ),
        pytest.param([Track(), Track(beep_s=0.5, end_s=0.9)], (0.0, 0.5, 1.0), id="second-of-two-ends-early"),
        pytest.param(
            [Track(end_s=0.9), Track(beep_s=0.5)],
            (0.0, 0.5, 1.5),
            id="first-of-two-ends-early",
        ),
    ],
)
def test_all_tracks_are_heard_when_they_should_be(
    tracks: list[Track], beeps_s: tuple[float, ...], tmp_path: Path
) -> None:
    out = exported(write_clip(tmp_path / "in.mp4", *tracks))

    assert out.numbers == list(range(60))
    assert out.flashes_s == pytest.approx(AT_FLASHES, abs=1e-4)
    assert out.audio_tracks == 1
    assert out.beeps_s == pytest.approx(beeps_s, abs=TOLERANCE_S)
    # An AAC frame is 21 ms, and the resampler may owe one more.
    assert out.sound_s == pytest.approx(max(track.end_s for track in tracks), abs=0.05)


def test_clock_that_starts_anew_keeps_sound_and_picture_together(tmp_path: Path) -> None:
    """Two transport streams one after the other; their clock counts in 1/90000 s, unlike MP4's in samples."""
    once = write_clip(tmp_path / "once.ts", Track())
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)

    out = exported(twice)

    assert out.numbers == [*range(60), *range(60)]
    assert out.flashes_s == pytest.approx([0, 1, 2, 3], abs=1e-4)
    # AAC's last frame and the picture's last frame do not end together: a frame of sound each time.
    assert out.beeps_s == pytest.approx([0, 1, 2, 3], abs=0.03)


def test_uncompressed_sound(tmp_path: Path) -> None:
    out = exported(write_clip(tmp_path / "in.mov", Track(codec="pcm_s16le")))

    assert out.beeps_s == pytest.approx(AT_FLASHES, abs=TOLERANCE_S)


def test_picture_that_starts_after_the_sound(tmp_path: Path) -> None:
    out = exported(write_clip(tmp_path / "in.mp4", Track(end_s=3.0, beep_s=0.5), first_frame_s=0.5))

    assert out.numbers == list(range(60))
    assert out.beeps_s == pytest.approx([0.0, 1.0, 2.0], abs=TOLERANCE_S)


def test_no_sound_stays_no_sound(tmp_path: Path) -> None:
    out = exported(write_clip(tmp_path / "in.mp4"))

    assert out.numbers == list(range(60))
    assert out.audio_tracks == 0


def test_sound_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    with pytest.raises(SourceError, match="no video"):
        probe_source(path)
