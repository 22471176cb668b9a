"""Sound of every kind goes through an export and stays with its picture."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.errors import SourceError
from capbench.pipeline.decode.audio import read_audio
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.export import export
from capbench.quality.reading.sound_envelope import BIN_S, listen
from capbench.recordings.marks import flash_level, read_frame_number
from capbench.recordings.sound import beep_onsets_s
from tests.hostile_playlists import HlsFolder
from tests.sound_clips import Track, write_clip

AT_FLASHES = (0.0, 1.0)
DAMAGED = Path(__file__).parents[1] / "fuzz" / "corpus"
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


@pytest.mark.parametrize(("tracks", "empty"), [([Track(end_s=0.0)], "1 of 1"), ([Track(), Track(end_s=0.0)], "1 of 2")])
def test_a_track_without_samples_is_said(tracks: list[Track], empty: str, tmp_path: Path) -> None:
    report = export(write_clip(tmp_path / "in.mkv", *tracks, frames=10), tmp_path / "out.mp4")

    assert len(report.warnings) == 1
    assert f"in {empty} tracks" in report.warnings[0]


def test_sound_too_short_for_a_sample_of_the_output_is_said(tmp_path: Path) -> None:
    """A header of a few bad bits: 22,400 samples at 268 MHz are four at 48 kHz, which the resampler keeps."""
    source = write_clip(tmp_path / "in.avi", Track(codec="pcm_s16le"), frames=10)
    header = source.read_bytes()
    rate = header.index(b"strf", header.index(b"auds")) + 12  # nSamplesPerSec of WAVEFORMATEX
    assert int.from_bytes(header[rate : rate + 4], "little") == 48_000
    source.write_bytes(header[:rate] + (2**28).to_bytes(4, "little") + header[rate + 4 :])

    report = export(source, tmp_path / "out.mp4")

    assert ["in 1 of 1 tracks" in warning for warning in report.warnings] == [True]


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


def samples_of(source: Path, *, warnings: list[str] | None = None) -> NDArray[np.float32]:
    """The mixed sound, shape (2, samples)."""
    told: list[str] = [] if warnings is None else warnings
    frames = list(read_audio(source, probe_source(source).origin_s, warn=told.append))
    assert warnings is not None or told == []
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000])
def test_mp2_is_heard(rate_hz: int, tmp_path: Path) -> None:
    """Its decoder gives planar samples, and the stream's header says packed ones."""
    out = exported(write_clip(tmp_path / "in.ts", Track("mp2", rate_hz), codec="mpeg2video"))

    # MP2's filter bank delays by 481 samples, which no transport stream tells.
    assert out.beeps_s == pytest.approx(AT_FLASHES, abs=TOLERANCE_S + 481 / rate_hz)


@pytest.mark.parametrize(
    "second",
    [Track(rate_hz=44_100), Track(layout="mono"), Track(layout="5.1"), Track(rate_hz=22_050, layout="mono")],
    ids=str,
)
def test_rate_and_layout_may_change_on_the_way(second: Track, tmp_path: Path) -> None:
    """Two transport streams one after the other, as a broadcast changes between programme and advertisement."""
    pieces = [write_clip(tmp_path / f"{n}.ts", track) for n, track in enumerate((Track(), second))]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(piece.read_bytes() for piece in pieces))

    out = exported(source)

    # AAC's last frame and the picture's do not end together: a frame of sound, of 1024 samples at its own rate.
    assert out.beeps_s == pytest.approx([0, 1, 2, 3], abs=0.03 + 1024 / second.rate_hz)
    assert out.sound_s == pytest.approx(4.0, abs=0.1)


def test_of_several_variants_one_is_heard(tmp_path: Path) -> None:
    """FFmpeg opens all variants of a master playlist; their sounds were added up, each the same."""
    hls = HlsFolder.create(tmp_path)
    alone = samples_of(hls.folder / "playlist.m3u8")
    variant = "#EXT-X-STREAM-INF:BANDWIDTH={}\n{}\n"
    (hls.folder / "copy.m3u8").write_text((hls.folder / "playlist.m3u8").read_text())
    master = hls.write("#EXTM3U\n" + variant.format(1, "playlist.m3u8") + variant.format(2, "copy.m3u8"))

    together = samples_of(master)

    assert probe_source(master).audio_streams == 1
    assert together.shape == alone.shape
    assert np.abs(together - alone).max() < 1e-6


def test_loud_surround_sound_is_not_clipped(tmp_path: Path) -> None:
    """In-phase full scale of 5.1 came out at +1.4 dBFS."""
    source = write_clip(tmp_path / "in.mkv", Track("pcm_s16le", layout="5.1"))

    peak = np.abs(samples_of(source)).max()

    assert peak == pytest.approx(0.4, abs=0.01)  # each channel's own level


@pytest.mark.parametrize(("start_s", "order"), [(7 * 3600.0, "after"), (-7 * 3600.0, "before")])
def test_sound_that_starts_hours_from_the_picture_is_refused(start_s: float, order: str, tmp_path: Path) -> None:
    """It filled memory with silence, 1.4 GB an hour, or was cut without a word."""
    source = write_clip(
        tmp_path / "in.mkv",
        Track(start_s=max(start_s, 0.0), end_s=max(start_s, 0.0) + 0.5),
        frames=10,
        first_frame_s=max(-start_s, 0.0),
    )

    with pytest.raises(SourceError, match=f"starts 7 h 00 min {order} its picture"):
        probe_source(source)


def test_frames_of_sound_that_lie_days_away_are_refused(tmp_path: Path) -> None:
    """Whatever the header says: here the picture's clock is the one that is asked for."""
    source = write_clip(tmp_path / "in.mkv", Track())

    with pytest.raises(SourceError, match="before its picture"):
        next(read_audio(source, Fraction(10 * 24 * 3600), warn=pytest.fail))


@pytest.mark.parametrize(
    "tracks",
    [
        [Track(start_s=600, end_s=600.5)],
        [Track(end_s=0.5), Track(start_s=600, end_s=600.5)],
        [Track(start_s=600, end_s=600.5), Track(end_s=0.5)],
    ],
    ids=["silence-first", "one-after-the-other", "the-other-way-round"],
)
def test_minutes_of_silence_fill_no_memory(tracks: list[Track], tmp_path: Path) -> None:
    """Ten minutes of stereo are 230 MB as floats; FFmpeg's filters make such a gap at once."""
    source = write_clip(tmp_path / "in.mkv", *tracks, frames=10)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    length = sum(frame.samples for frame in read_audio(source, Fraction(0), warn=pytest.fail))

    assert length / 48000 == pytest.approx(600.5, abs=0.05)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


def test_a_track_that_is_silent_for_long_does_not_hold_back_the_other(tmp_path: Path) -> None:
    """A microphone that is switched on after a minute: what is heard until then is not kept for it."""
    source = write_clip(tmp_path / "in.mkv", Track(end_s=70.0), Track(start_s=65.0, end_s=70.0, beep_s=0.5), frames=10)

    frames = list(islice(read_audio(source, Fraction(0), warn=pytest.fail), 70 * 47))

    sound = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)[0]
    onsets = beep_onsets_s(sound, 48000)
    assert onsets[:3] == pytest.approx([0, 1, 2], abs=TOLERANCE_S)
    assert onsets[-4:] == pytest.approx([68, 68.5, 69, 69.5], abs=TOLERANCE_S)


HOURS_S = 3.0 * 3600
AAC_FRAMES = 60 * 48000 / 1024
"""Frames of a minute; three hours have half a million, which take minutes to encode."""


@pytest.mark.parametrize(
    ("tracks", "first_s", "heard_s"),
    [
        ([Track(start_s=HOURS_S, end_s=HOURS_S + 0.5)], HOURS_S, [HOURS_S]),
        ([Track(end_s=HOURS_S + 0.5, hole_s=(0.5, HOURS_S))], 0.0, [0.0, HOURS_S]),
        ([Track(end_s=0.5), Track(start_s=HOURS_S, end_s=HOURS_S + 0.5)], 0.0, [0.0, HOURS_S]),
        ([Track(start_s=HOURS_S, end_s=HOURS_S + 0.5), Track(end_s=0.5)], 0.0, [0.0, HOURS_S]),
    ],
    ids=["late", "a-hole", "one-after-the-other", "the-other-way-round"],
)
def test_hours_of_silence_are_a_step_in_time(
    tracks: list[Track], first_s: float, heard_s: list[float], tmp_path: Path
) -> None:
    """They were written out: a file of a few kilobytes took minutes."""
    source = write_clip(tmp_path / "in.mkv", *tracks, frames=10)

    frames = list(read_audio(source, Fraction(0), warn=pytest.fail))

    assert len(frames) < AAC_FRAMES
    starts = [frame.pts or 0 for frame in frames]
    assert starts[0] / 48000 == pytest.approx(first_s, abs=0.1)
    assert all(later - earlier >= 1024 for earlier, later in pairwise(starts))
    beeps: list[float] = []
    for frame in frames:
        loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.05)
        time_s = ((frame.pts or 0) + int(loud[0])) / 48000 if len(loud) else None
        if time_s is not None and (not beeps or time_s > beeps[-1] + 0.5):
            beeps.append(time_s)
    assert beeps == pytest.approx(heard_s, abs=TOLERANCE_S)


def test_sound_that_starts_hours_late_is_exported_as_late(tmp_path: Path) -> None:
    """MP4 states a late start in its edit list."""
    source = write_clip(tmp_path / "in.mkv", Track(start_s=HOURS_S, end_s=HOURS_S + 0.5), frames=10)

    export(source, tmp_path / "out.mp4")

    heard = listen(tmp_path / "out.mp4")
    assert heard is not None
    onset_s = (heard.start_bin + int((heard.level > 0.05).argmax())) * BIN_S
    assert onset_s == pytest.approx(HOURS_S, abs=TOLERANCE_S)
    assert (tmp_path / "out.mp4").stat().st_size < 200_000


def test_a_damaged_time_of_sound_is_not_followed() -> None:
    """One frame of 24 ms says that it is heard 3 hours later; all that followed was put there too."""
    told: list[str] = []
    source = DAMAGED / "export-one-sound-3-h-ahead" / "mpeg2.ts"

    samples = sum(frame.samples for frame in read_audio(source, probe_source(source).origin_s, warn=told.append))

    assert samples / 48000 == pytest.approx(0.288, abs=0.022)
    assert len(told) == 1
    assert "1 time stamps of the sound" in told[0]
