"""Sound files made here, as an envelope: channels, tracks without sound, times that lie."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from capbench.quality.checks import sound_checks
from capbench.quality.metrics.sound_lag import measure_lag, silent_gaps
from capbench.quality.metrics.stereo_image import measure_channel_order
from capbench.quality.reading.channel_downmix import Downmix
from capbench.quality.reading.sound_envelope import Sound, SoundMeasurements, listen, listen_to_both
from capbench.results import CheckStatus

RATE_HZ = 48_000


def write(
    target: Path,
    samples: NDArray[np.float32],
    layout: str,
    starts_s: tuple[float, ...] = (0.0,),
    rate_hz: int = RATE_HZ,
) -> Path:
    """The samples once for each time, as PCM in Matroska, whose times are milliseconds."""
    with av.open(str(target), "w", format="matroska") as container:
        stream = container.add_stream("pcm_f32le", rate=rate_hz, layout=layout)
        for start_s in starts_s:
            frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, round(start_s * rate_hz), Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def write_blocks(target: Path, blocks: list[tuple[int, NDArray[np.float32]]]) -> None:
    """Stereo, each block at the sample that is stated for it."""
    with av.open(str(target), "w", format="matroska") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE_HZ, layout="stereo")
        stream.time_base = Fraction(1, RATE_HZ)
        container.start_encoding()
        for number, (at, samples) in enumerate(blocks):
            packet = av.Packet(samples.T.astype("<f4").tobytes())
            packet.stream, packet.time_base, packet.pts = stream, Fraction(1, RATE_HZ), at
            packet.dts = min(later for later, _ in blocks[number:])  # these may not step back
            container.mux(packet)


def tones(channels: int, length_s: float = 0.5) -> NDArray[np.float32]:
    times = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return np.stack([0.1 * np.sin(2 * np.pi * 300 * (n + 1) * times) for n in range(channels)]).astype(np.float32)


def heard(path: Path, *, origin_s: float = 0.0) -> Sound:
    sound = listen(path, origin_s=origin_s)
    assert sound is not None
    return sound


def test_one_damaged_time_of_sound_costs_no_memory_and_is_named(tmp_path: Path) -> None:
    """30 days later: an envelope of them would be 10 GB."""
    sound = heard(write(tmp_path / "late.mkv", tones(2), "stereo", (0.0, 30 * 86400.0)))

    assert sound.length_s == pytest.approx(0.5, abs=0.01)
    assert sound.error is not None
    assert "720.0 h away from the rest of the sound" in sound.error


def test_sound_of_a_sample_a_second_is_named(tmp_path: Path) -> None:
    """Half a second of samples would be six hours of envelope."""
    sound = heard(write(tmp_path / "slow.mkv", tones(2), "stereo", rate_hz=1))

    assert len(sound.level) == 0
    assert sound.error is not None
    assert "1 samples a second" in sound.error


def test_gaps_add_up(tmp_path: Path) -> None:
    """Each is believed; all of them took 3 GB and a minute."""
    sound = heard(write(tmp_path / "gaps.mkv", tones(2), "stereo", tuple(5.5 * 3600 * n for n in range(5))))

    assert sound.length_s == pytest.approx(5.5 * 3600 + 0.5, abs=0.01)
    assert sound.error is not None
    assert "silent for" in sound.error


def test_a_stray_time_is_heard_where_it_belongs() -> None:
    sound = heard(Path(__file__).parents[2] / "fuzz" / "corpus" / "export-one-sound-3-h-ahead" / "mpeg2.ts")

    assert sound.length_s == pytest.approx(0.288, abs=0.02)
    assert (sound.error, sound.stray_times) == (None, 1)


@pytest.mark.parametrize(
    ("of_reference", "of_output", "status"),
    [(0, 0, CheckStatus.PASS), (1, 0, CheckStatus.PASS), (1, 1, CheckStatus.PASS), (0, 1, CheckStatus.FAIL)],
)
def test_stray_times_are_a_fault_of_the_output_that_adds_them(
    of_reference: int, of_output: int, status: CheckStatus
) -> None:
    wanted, found = (
        replace(Sound(1, 2, 0, np.ones(500, np.float32), 0.0, 0.1, None), stray_times=count)
        for count in (of_reference, of_output)
    )

    assert sound_checks._decodes(wanted, found).status is status


def test_a_pause_is_part_of_the_sound(tmp_path: Path) -> None:
    sound = heard(write(tmp_path / "pause.mkv", tones(2), "stereo", (0.0, 600.0)))

    assert sound.length_s == pytest.approx(600.5, abs=0.01)
    assert sound.error is None
    assert sound.level[300_000] == 0


def test_pieces_are_counted_from_the_first_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "late.mkv", tones(2), "stereo", (8.0,))

    assert min(heard(path, origin_s=8.0).pieces) == 0
    assert min(heard(path).pieces) == 32


def write_tracks(target: Path, *tracks: NDArray[np.float32], default: int = 0) -> Path:
    """Stereo tracks in one file, of which one is marked as a player's first choice."""
    with av.open(str(target), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_f32le", rate=RATE_HZ, layout="stereo") for _ in tracks]
        for number, stream in enumerate(streams):
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, samples in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="flt", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return target


def both(reference: Path, output: Path) -> SoundMeasurements:
    return listen_to_both(reference, output, reference_origin_s=0, output_origin_s=0)


@pytest.mark.parametrize("default", [0, 1])
def test_of_more_tracks_than_the_reference_has_the_first_choice_is_heard(default: int, tmp_path: Path) -> None:
    """Presets for televisions write the sound twice, as AAC and AC-3; nobody hears both."""
    own, other = tones(2), 0.3 * tones(2)[::-1]
    reference = write(tmp_path / "one.mkv", own, "stereo")
    tracks = (own, other) if default == 0 else (other, own)

    found = both(reference, write_tracks(tmp_path / "two.mkv", *tracks, default=default))

    assert found.reference is not None
    assert found.output is not None
    assert found.output.tracks == 2
    assert sound_checks._level(found.reference, found.output, None).value == pytest.approx(0, abs=0.01)


def test_tracks_of_both_are_heard_together(tmp_path: Path) -> None:
    """The sound of a computer and that of a microphone: an exporter mixes them, or keeps them apart."""
    whole = write_tracks(tmp_path / "two.mkv", tones(2), tones(2)[::-1])

    found = both(whole, write(tmp_path / "one.mkv", tones(2), "stereo"))

    assert found.reference is not None
    assert found.output is not None
    assert found.output.loudness == pytest.approx(found.reference.loudness / np.sqrt(2), rel=0.01)


def test_a_constant_offset_is_no_loudness(tmp_path: Path) -> None:
    """Opus takes it off: of quiet sound on a large one more than half of the energy."""
    reference = write(tmp_path / "offset.mkv", tones(2) - np.float32(0.08), "stereo")

    found = both(reference, write(tmp_path / "plain.mkv", tones(2), "stereo"))
    quieter = both(reference, write(tmp_path / "quieter.mkv", 0.7 * tones(2), "stereo"))

    assert found.reference is not None
    assert found.output is not None
    assert sound_checks._level(found.reference, found.output, None).value == pytest.approx(0, abs=0.01)
    assert quieter.output is not None
    assert sound_checks._level(found.reference, quieter.output, None).value == pytest.approx(-3.1, abs=0.05)


def test_a_track_without_a_packet_was_not_heard(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "empty.mkv"), "w") as container:
        container.add_stream("pcm_f32le", rate=RATE_HZ, layout="stereo")
        video = container.add_stream("ffv1", rate=30)
        video.width, video.height, video.pix_fmt = 16, 16, "yuv420p"
        container.mux(video.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(video.encode(None))

    sound = heard(tmp_path / "empty.mkv")

    assert (sound.tracks, len(sound.level), sound.error) == (1, 0, None)


@pytest.mark.parametrize(
    ("layout", "gain"), [("mono", 1.0), ("stereo", 1.0), ("5.1", 1 + 2 * 0.5**0.5), ("7.1", 1 + 3 * 0.5**0.5)]
)
def test_more_channels_are_mixed_as_bs_775_says(layout: str, gain: float, tmp_path: Path) -> None:
    channels = len(av.AudioLayout(layout).channels)
    sound = heard(write(tmp_path / "many.mkv", tones(channels), layout))

    assert sound.channels == channels
    assert sound.downmix_gain == pytest.approx(gain, abs=1e-3)


@pytest.mark.parametrize(
    ("level", "is_right"),
    [
        (0.5**0.5, True),
        (0.5**0.5 / (1 + 2 * 0.5**0.5), True),  # so that nothing can clip, as this pipeline scales it
        (0.5 / (1 + 0.5**0.5 + 0.5), True),  # as AC-3 may state it and HandBrake does it: -9.9 dB
        (0.25 / (1 + 0.5**0.5 + 0.5), False),
        (1.0, False),
    ],
)
def test_surround_channels_may_be_mixed_at_any_level_in_use(level: float, is_right: bool, tmp_path: Path) -> None:
    samples = tones(6)
    samples[:4] = 0
    wanted = heard(write(tmp_path / "many.mkv", samples, "5.1"))
    found = heard(write(tmp_path / "mixed.mkv", samples[4:] * np.float32(level), "stereo"))

    assert (sound_checks._level(wanted, found, None).status is CheckStatus.PASS) is is_right


@pytest.mark.parametrize(("before_s", "behind_s"), [(5.0, 0.0), (0.0, 5.0)])
def test_silence_that_is_stored_makes_a_sound_no_quieter(before_s: float, behind_s: float, tmp_path: Path) -> None:
    """A track that starts 5 s late and one with 5 s of silence in front are as loud: it was 4.4 dB quieter."""
    samples = tones(2, 3.0)
    silences = (np.zeros((2, round(length_s * RATE_HZ)), np.float32) for length_s in (before_s, behind_s))
    stored = np.concatenate([next(silences), samples, next(silences)], axis=1)
    late = heard(write(tmp_path / "late.mkv", samples, "stereo", (before_s,)))
    padded = heard(write(tmp_path / "padded.mkv", stored, "stereo"))

    for wanted, found in ((late, padded), (padded, late)):
        check = sound_checks._level(wanted, found, measure_lag(wanted, found))
        assert check.status is CheckStatus.PASS
        assert check.value == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(
    ("right", "is_right"),
    [(1.0, True), (0.8, True), (0.0, False), (-1.0, False)],
    ids=["same", "pan", "silent", "turned"],
)
def test_what_was_alike_on_both_sides_stays_so(layout: str, right: float, is_right: bool, tmp_path: Path) -> None:
    """Mono that became sound in one ear passed: a reference without sides had none to compare."""
    one = tones(1)
    wanted = heard(write(tmp_path / "in.mkv", one if layout == "mono" else np.repeat(one, 2, axis=0), layout))
    found = heard(write(tmp_path / "out.mkv", np.concatenate([one, np.float32(right) * one]), "stereo"))

    assert (sound_checks._channels(wanted, found, None).status is not CheckStatus.FAIL) is is_right


def banded(seed: int, low_hz: float, high_hz: float) -> NDArray[np.float32]:
    """A second of noise in one channel, of a band."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 0.2, RATE_HZ))
    frequency = np.fft.rfftfreq(RATE_HZ, 1 / RATE_HZ)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    return np.fft.irfft(spectrum, RATE_HZ).astype(np.float32)


def test_hiss_that_was_left_out_is_missing_beside_rounding_noise(tmp_path: Path) -> None:
    """Behind AAC at 32 kbit/s nothing is left of hiss above 9 kHz; rounding noise of 16 bits was found as loud."""
    rounding = banded(2, 20, 3000) * np.float32(3e-4)
    hiss = np.stack([banded(1, 9000, 20000)] * 2)
    wanted = heard(write(tmp_path / "in.mkv", hiss + rounding, "stereo"))
    found = heard(write(tmp_path / "out.mkv", np.stack([rounding + 1e-3 * banded(3, 3500, 4500)] * 2), "stereo"))

    assert sound_checks._level(wanted, found, None).status is CheckStatus.FAIL


@pytest.mark.parametrize(
    ("was_wide", "hiss", "low", "is_right"),
    [
        (True, "joined", "kept", True),
        (True, "joined", "mixed", False),
        (False, "made anew", "kept", True),
        (False, "made anew", "one side", False),
        (False, "made anew", "turned", False),
    ],
)
def test_hiss_that_a_coder_made_anew_is_no_other_width(
    was_wide: bool, hiss: str, low: str, is_right: bool, tmp_path: Path
) -> None:
    """Low bit rates put one noise into both channels where each had its own, or one into each where both shared it."""
    voices = [0.5 * banded(1, 100, 3000), 0.5 * banded(2 if was_wide else 1, 100, 3000)]
    noises = [banded(3, 9000, 20000), banded(4 if was_wide else 3, 9000, 20000)]
    made = [banded(5, 9000, 20000), banded(5 if hiss == "joined" else 6, 9000, 20000)]
    sides = {
        "kept": np.stack(voices),
        "mixed": np.stack([(voices[0] + voices[1]) / 2] * 2),
        "one side": np.stack([voices[0], 0 * voices[0]]),
        "turned": np.stack([voices[0], -voices[1]]),
    }[low]
    wanted = heard(write(tmp_path / "in.mkv", np.stack(voices) + np.stack(noises), "stereo"))
    found = heard(write(tmp_path / "out.mkv", sides + np.stack(made), "stereo"))

    assert (sound_checks._channels(wanted, found, None).status is not CheckStatus.FAIL) is is_right


def test_a_sound_that_is_cut_short_is_no_quieter(tmp_path: Path) -> None:
    whole = heard(write(tmp_path / "whole.mkv", tones(2, 3.0), "stereo"))
    cut = heard(write(tmp_path / "cut.mkv", tones(2, 1.0), "stereo"))

    assert sound_checks._level(whole, cut, None).status is CheckStatus.PASS


def test_the_centre_is_in_both_sides_and_the_bass_in_none() -> None:
    downmix = Downmix(["FL", "FR", "FC", "LFE", "BL", "BR"])

    sides = downmix(np.eye(6, dtype=np.float32))

    half = 0.5**0.5
    assert sides[0] == pytest.approx([1, 0, half, 0, half, 0])
    assert sides[1] == pytest.approx([0, 1, half, 0, 0, half])
    assert Downmix(["NONE"] * 6)(np.eye(6, dtype=np.float32)) == pytest.approx(sides)


def _sound(level: NDArray[np.float32], start_ms: int = 0, origin_s: float = 0.0) -> Sound:
    return Sound(1, 2, start_ms, level, 0.0, 0.1, None, origin_s=origin_s)


def _tone_level(length_s: float, hertz: float = 440) -> NDArray[np.float32]:
    """What a bin of a millisecond holds of a tone: less than a period, and another part of it in each."""
    samples = np.square(0.3 * np.sin(2 * np.pi * hertz * np.arange(round(length_s * RATE_HZ)) / RATE_HZ))
    level: NDArray[np.float32] = np.sqrt(samples.reshape(-1, RATE_HZ // 1000).mean(axis=1)).astype(np.float32)
    return level


@pytest.mark.parametrize("late_ms", [-60, 0, 25, 90, 250])
def test_a_steady_tone_is_late_by_its_beginning_and_does_not_drift(late_ms: int) -> None:
    """Its end is as late as its codec's last frame; what it is cannot be told from its envelope."""
    level = _tone_level(4)

    lag = measure_lag(_sound(level, 1000), _sound(level[:-20], 1000 + late_ms))

    assert lag is not None
    assert lag.start_ms == pytest.approx(late_ms, abs=2)
    assert (lag.drift_ms, lag.by_onset) == (None, True)


@pytest.mark.parametrize("sizes", [[1024, 1024, 576, 128, 128, 128, 128, 576], [1024]], ids=["uneven", "even"])
def test_frames_whose_times_overlap_are_heard_one_behind_the_other(sizes: list[int], tmp_path: Path) -> None:
    """Vorbis in WebM whose times are the ends of its blocks: laid over each other, with holes, it was another sound."""
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 0.1, (2, 24_000)).astype(np.float32)
    path, lost = tmp_path / "blocks.mkv", tmp_path / "lost.mkv"
    blocks: list[tuple[int, NDArray[np.float32]]] = []
    at = 0
    while at < samples.shape[1]:
        size = min(sizes[len(blocks) % len(sizes)], samples.shape[1] - at)
        blocks.append((at + size, samples[:, at : at + size]))
        at += size
    write_blocks(path, blocks)
    write_blocks(lost, [block for number, block in enumerate(blocks) if number != 8])

    sound = heard(path)

    whole = np.concatenate([sound.pieces[number] for number in sorted(sound.pieces)], axis=1)
    begins_at = round(sizes[0] / RATE_HZ, 3) * RATE_HZ  # Matroska's times are milliseconds
    wanted = np.pad(samples, ((0, 0), (round(begins_at), whole.shape[1])))[:, : whole.shape[1]]
    assert float(np.corrcoef(whole.ravel(), wanted.ravel())[0, 1]) > 0.99
    assert int((sound.level[1:-1] == 0).sum()) == 0
    assert int((heard(lost).level[1:-1] == 0).sum()) in range(19, 23)  # a block that is missing is still a gap


def test_where_a_track_sounds_twice_at_once_a_pause_of_either_is_no_gap(tmp_path: Path) -> None:
    """Two recordings one behind the other: times step back by 47 ms, and the second begins with its coder's silence.

    FFmpeg plays all of both, and its export has that silence where by the times the first one sounds.
    """
    first, second = (np.random.default_rng(seed).normal(0, 0.1, (2, 48_000)).astype(np.float32) for seed in (1, 2))
    second[:, :1104] = 0
    twice, behind, torn = (tmp_path / f"{name}.mkv" for name in ("twice", "behind", "torn"))
    joined = np.concatenate([first, second], axis=1)
    blocks = [(at, joined[:, at : at + 960]) for at in range(0, 96_000, 960)]
    write_blocks(twice, [(at if at < 48_000 else at - 2256, samples) for at, samples in blocks])
    write_blocks(behind, blocks)
    write_blocks(torn, [block for block in blocks if block[0] != 24_000])

    reference = heard(twice)

    for path, gaps in ((behind, 0), (torn, 1)):
        output = heard(path)
        lag = measure_lag(reference, output)
        assert lag is not None
        assert len(silent_gaps(reference, output, lag, least_ms=17)) == gaps
    assert reference.doubled == ((953, 1047),)
    assert heard(behind).doubled == ()


@pytest.mark.parametrize("start_ms", [0, 3000, 8330, 2_000_000])
def test_a_sound_that_starts_late_is_found_wherever_the_pictures_start(start_ms: int) -> None:
    noise = np.random.default_rng(3).uniform(0.02, 0.5, 40)
    level = np.interp(np.arange(8000) / 200, np.arange(40), noise).astype(np.float32)
    reference = _sound(level, 8330 + start_ms, origin_s=8.33)

    lag = measure_lag(reference, _sound(level, 20 + start_ms))

    assert lag is not None
    assert lag.is_same_sound
    assert lag.start_ms == pytest.approx(20 - 8330, abs=1)


def test_times_in_milliseconds_do_not_tear_the_sound(tmp_path: Path) -> None:
    """Packets of 1024 samples, each of whose times Matroska rounds by up to half a millisecond."""
    samples, path = tones(2, 1.0), tmp_path / "packets.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE_HZ, layout="stereo")
        for at in range(0, samples.shape[1], 1024):
            piece = samples[:, at : at + 1024].T.reshape(1, -1).copy()
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    pieces = heard(path).pieces

    assert np.concatenate([pieces[n] for n in range(4)], axis=1) == pytest.approx(samples, abs=1e-6)


def test_a_packet_with_a_time_and_nothing_in_it_is_no_damage(tmp_path: Path) -> None:
    """FLAC's encoder ends with one, and NUT stores it: the sound of right exports did not decode."""
    path = tmp_path / "flac.nut"
    with av.open(str(path), "w", format="nut") as container:
        stream = container.add_stream("flac", rate=RATE_HZ, layout="stereo")
        codes = (tones(2) * 32767).astype(np.int16).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(codes.copy(), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(stream.encode(frame))
        rest = stream.encode(None)
        assert not rest[-1].size
        container.mux(rest)

    sound = heard(path)

    assert sound.error is None
    assert sound.length_s == pytest.approx(0.5, abs=0.001)


def test_coding_takes_what_is_loud_to_full_scale_and_clipping_what_is_not(tmp_path: Path) -> None:
    """Music that is limited to -0.4 dB overshoots by any lossy codec; a sound that is too loud by 6 dB is clipped."""
    times = np.arange(RATE_HZ // 2) / RATE_HZ
    sine = np.sin(2 * np.pi * 300 * times)
    limited = np.clip(1.5 * sine, -0.95, 0.95)
    coded = limited + np.random.default_rng(2).normal(0, 0.03, len(times))

    def clipping(name: str, want: NDArray[np.float64], got: NDArray[np.float64]) -> CheckStatus:
        files = [
            write(tmp_path / f"{name}-{side}.mkv", np.stack([each, each]).astype(np.float32), "stereo")
            for side, each in (("want", want), ("got", np.clip(got, -1, 1)))
        ]
        return sound_checks._clipping(*(heard(path) for path in files)).status

    assert clipping("limited", limited, coded) is CheckStatus.PASS
    assert clipping("louder", 0.7 * sine, 1.4 * sine) is CheckStatus.FAIL


def test_channels_without_names_are_those_that_ffmpeg_assumes(tmp_path: Path) -> None:
    """PCM in Matroska states no layout: all channels had one name, and two that were exchanged ended in a traceback."""
    samples = np.random.default_rng(6).normal(0, 0.05, (6, RATE_HZ)).astype(np.float32)
    wanted, moved = (
        heard(write(tmp_path / f"{name}.mkv", each, "5.1"))
        for name, each in (("as-they-were", samples), ("moved", samples[[0, 1, 4, 3, 2, 5]]))
    )

    order = measure_channel_order(wanted, moved, 0.0, least_share=0.01)

    assert wanted.channel_names == ("FL", "FR", "FC", "LFE", "BL", "BR")
    assert order is not None
    assert set(order.moved) == {("FC", "BL"), ("BL", "FC")}
