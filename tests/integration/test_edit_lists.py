"""Edit lists, fragments and encoders' delays: sound stays with the picture that it was recorded with."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from capbench.bitstream.mp4_boxes import longest_edit_list
from capbench.errors import SourceError
from capbench.pipeline.decode.audio import read_audio
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.quality.reading.clip import Clip
from capbench.quality.reading.sound_envelope import listen
from capbench.recordings.marks import read_frame_number
from capbench.recordings.sound import beep_onsets_s
from tests.sound_clips import FPS, Track, write_clip

TOLERANCE_S = 0.003
"""A beep is found within a millisecond; resampling and AAC blur its start by another two."""
KEYS = {"g": "10", "bf": "2"}
"""A key frame each third of a second, which fragments start with, and frames in another order than they are shown."""
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
DELAYED = {"movflags": "frag_keyframe+delay_moov"}
"""The header is written behind the first fragment, when what its edit list must hold is known."""


def sync_s(source: Path, *, warnings: list[str] | None = None) -> dict[int, float]:
    """For each beep the number of the frame that it belongs to, and how late it is after that frame, in seconds.

    The recording flashes, and beeps, in each frame whose number is a multiple of its rate.
    """
    told: list[str] = []
    origin_s = probe_source(source).origin_s
    flashes = {}
    for frame in read_frames(source, warn=told.append):
        number = read_frame_number(frame.to_ndarray()[: frame.height].astype(np.uint8))
        if number is not None and number % FPS == 0:
            assert frame.pts is not None
            assert frame.time_base is not None
            flashes[number] = float(frame.pts * frame.time_base - origin_s)
    sound = [frame.to_ndarray() for frame in read_audio(source, origin_s, warn=told.append)]
    beeps = beep_onsets_s(np.concatenate(sound, axis=1)[0], 48_000)
    if warnings is None:
        assert told == []
    else:
        warnings += told
    late = {}
    for beep_s in beeps:
        number = min(flashes, key=lambda number: abs(flashes[number] - beep_s))
        late[number] = beep_s - flashes[number]
    return late


def with_edits(path: Path, track: int, *edits: tuple[float, float]) -> Path:
    """Give a track of an MP4 file, whose header lies at its end, other edits (ISO/IEC 14496-12, 8.6.6).

    Each has a length and the time of the media that it starts with, in seconds; -1 for the latter is an empty one.
    """
    data = path.read_bytes()
    moov = data.rindex(b"moov") - 4
    assert data.index(b"mdat") < moov
    (movie_scale,) = struct.unpack_from(">I", data, data.index(b"mvhd", moov) + 16)
    places = []
    at = moov
    for _ in range(track + 1):
        places = [at := data.index(b"trak", at + 5) - 4, data.index(b"edts", at) - 4, data.index(b"elst", at) - 4]
    (media_scale,) = struct.unpack_from(">I", data, data.index(b"mdhd", at) + 16)
    entries = b"".join(
        struct.pack(">Iii", round(length_s * movie_scale), -1 if start_s < 0 else round(start_s * media_scale), 1 << 16)
        for length_s, start_s in edits
    )
    elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    (old,) = struct.unpack_from(">I", data, places[-1])
    edited = bytearray(data[: places[-1]] + elst + data[places[-1] + old :])
    for box in (moov, *places[:-1]):
        (size,) = struct.unpack_from(">I", edited, box)
        struct.pack_into(">I", edited, box, size + len(elst) - old)
    path.write_bytes(edited)
    return path


@pytest.mark.parametrize("muxer", [{}, FRAGMENTED, DELAYED], ids=["whole", "fragmented", "header-delayed"])
@pytest.mark.parametrize(
    ("sound_s", "picture_s"), [(0.0, 0.0), (0.35, 0.0), (0.05, 0.0), (0.0, 0.5), (0.0, 0.1)], ids=str
)
def test_sound_and_picture_that_start_apart(
    sound_s: float, picture_s: float, muxer: dict[str, str], tmp_path: Path
) -> None:
    """The track beeps on the picture's clock, wherever either begins."""
    track = Track(start_s=sound_s, end_s=2.0 + picture_s, beep_s=picture_s)

    source = write_clip(tmp_path / "in.mp4", track, first_frame_s=picture_s, muxer=muxer, encoder=KEYS)

    # FFmpeg writes no edit list into a header that comes first: AAC's delay is then part of the sound, and what starts
    # later is stamped 0 once and held until then.
    slack_s = 1024 / 48_000 if muxer == FRAGMENTED else 0
    late = sync_s(source)
    if sound_s or (picture_s and muxer == FRAGMENTED):
        late.pop(0, None)
    assert FPS in late
    assert list(late.values()) == pytest.approx([0] * len(late), abs=TOLERANCE_S + slack_s)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_a_frame_of_sound_that_is_held_is_followed_by_silence(rate_hz: int, tmp_path: Path) -> None:
    """A recorder that writes its header first and fragments later: its last frame of sound lasts until they begin."""
    held = Track(rate_hz=rate_hz, hole_s=(0.15, 0.35))

    late = sync_s(write_clip(tmp_path / "in.mp4", held, encoder=KEYS))

    assert late == pytest.approx({0: 0, FPS: 0}, abs=TOLERANCE_S)


@pytest.mark.parametrize(
    ("codec", "delay"), [("aac", 1024), ("libopus", 312), ("flac", 0)]
)  # in samples, which the muxer's own edit lists say
def test_what_the_edit_list_of_a_fragmented_file_cuts_off_is_not_presented(
    codec: str, delay: int, tmp_path: Path
) -> None:
    """FFmpeg gives it times before 0, where a player shows and plays nothing."""
    source = write_clip(tmp_path / "in.mp4", Track(codec), muxer=DELAYED, encoder=KEYS)
    data = bytearray(source.read_bytes())
    for start in (data.index(b"elst"), data.rindex(b"elst")):
        (media_scale,) = struct.unpack_from(">I", data, data.index(b"mdhd", start) + 16)
        (media_start,) = struct.unpack_from(">i", data, start + 16)
        struct.pack_into(">i", data, start + 16, media_start + round(0.4 * media_scale))
    source.write_bytes(data)

    info = probe_source(source)
    late = sync_s(source)
    with av.open(str(source)) as container:
        coded = sum(1 for packet in container.demux(video=0) if packet.size)
    shown = [frame for frame in Clip(source).frames() if frame.pts is not None]
    sound = listen(source)

    assert info.start_s == 0
    assert info.origin_s == 0
    assert coded == 60
    assert len(shown) == 48
    assert shown[0].pts == 0
    assert late == pytest.approx({FPS: 0}, abs=TOLERANCE_S)
    assert sound is not None
    assert sound.start_bin == 0
    assert sound.length_s == pytest.approx(1.6, abs=0.025 + delay / 48_000)  # and what fills the last frame


PRIMING_S = 1024 / 48_000
REORDERING_S = 2 / FPS
"""Two B-frames in a row."""


@pytest.mark.parametrize(
    ("video", "sound", "late_s"),
    [
        pytest.param([(1.6, 0.4)], [(1.6, 0.4)], 0.0, id="both-start-within-their-media"),
        pytest.param([(2.0, 0.0)], [(1.7, 0.3)], -0.3, id="sound-starts-within-its-media"),
        pytest.param([(1.5, 0.5)], [(2.0, 0.0)], 0.5, id="picture-starts-within-its-media"),
        pytest.param([(0.25, -1), (2.0, 0.0)], [(2.0, 0.0)], -0.25, id="empty-edit-before-the-picture"),
        pytest.param([(2.0, 0.0)], [(0.4, -1), (2.0, 0.0)], 0.4, id="empty-edit-before-the-sound"),
        pytest.param([(0.3, -1), (1.6, 0.4)], [(0.3, -1), (1.6, 0.4)], 0.0, id="empty-edits-and-later-starts"),
        pytest.param([(0.1, -1), (1.6, 0.4)], [(0.2, -1), (1.8, 0.2)], 0.3, id="different-ones"),
    ],
)
def test_edits_of_both_tracks_are_followed(
    video: list[tuple[float, float]], sound: list[tuple[float, float]], late_s: float, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", Track(), encoder=KEYS)
    for track, edits, delay_s in ((0, video, REORDERING_S), (1, sound, PRIMING_S)):
        # Media time 0 is that of the first sample that the encoder took.
        with_edits(source, track, *((length, start if start < 0 else start + delay_s) for length, start in edits))

    late = sync_s(source, warnings=[])  # frames that the list cuts off are counted by the header

    assert FPS in late
    assert list(late.values()) == pytest.approx([late_s] * len(late), abs=TOLERANCE_S)


@pytest.mark.parametrize("start_s", [0.0, 0.08])
def test_the_delay_of_opus_is_taken_off(start_s: float, tmp_path: Path) -> None:
    track = Track("libopus", start_s=start_s)

    late = sync_s(write_clip(tmp_path / "in.webm", track, codec="libvpx"))

    # Matroska counts milliseconds.
    assert late[FPS] == pytest.approx(0, abs=TOLERANCE_S + 0.001)


@pytest.mark.parametrize(("count", "is_allowed"), [(200, True), (201, False)])
def test_an_edit_list_does_not_show_a_track_for_ever(count: int, is_allowed: bool, tmp_path: Path) -> None:
    """Twelve bytes an entry, and each shows half a second again: a thousand of them took a minute."""
    source = with_edits(write_clip(tmp_path / "in.mp4", frames=10), 0, *[(0.1, 0.0)] * count)

    assert longest_edit_list(source) == count
    if is_allowed:
        probe_source(source)
    else:
        with pytest.raises(SourceError, match="has 201 entries; at most 200"):
            probe_source(source)
