"""Mutations of a media file's structure leave a file that is read, and change what they are about."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Final

import av
import pytest

from tests.fuzz import media_mutations
from tests.fuzz.media_mutations import mutate_structure
from tests.fuzz.seeds.clips import CLIPS, make_clip

_STATES: Final = 60


@pytest.fixture(scope="module", params=["h264.mp4", "h264.mkv", "h264.ts", "mjpeg.mov"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clips") / str(request.param)
    make_clip(path, next(spec for spec in CLIPS if spec.name == request.param))
    return path.read_bytes()


def packets(data: bytes) -> int:
    """How many can be read; 0 for what does not open."""
    count = 0
    try:
        with av.open(io.BytesIO(data), "r") as container:
            for _ in container.demux():
                count += 1
    except (av.FFmpegError, ValueError):
        pass
    return count


def test_most_change_the_file_and_leave_it_readable(clip: bytes) -> None:
    """A mutation that breaks the container tests its demuxer alone, which is FFmpeg's."""
    made = [mutate_structure(clip, random.Random(state)) for state in range(_STATES)]

    assert all(made)
    assert sum(each != clip for each in made) > _STATES / 2
    assert sum(packets(each or b"") > 5 for each in made) > _STATES / 2


@pytest.mark.parametrize("cut_at", [8, 9, 12, 20, 32, 188, 189, 300])
def test_a_file_of_which_little_is_left_is_mutated_too(clip: bytes, cut_at: int) -> None:
    """What was mutated once may have no box, packet or element left that a further mutation could change."""
    made = [mutate_structure(clip[:cut_at], random.Random(state)) for state in range(_STATES)]

    assert len(made) == _STATES


def test_a_state_of_chance_makes_the_same_file(clip: bytes) -> None:
    twice = [[mutate_structure(clip, random.Random(state)) for state in range(20)] for _ in range(2)]

    assert twice[0] == twice[1]


@pytest.mark.parametrize("data", [b"", b"#EXTM3U\n", b"RIFF" + bytes(400), bytes(400)])
def test_other_files_have_no_structure_that_is_known(data: bytes) -> None:
    assert mutate_structure(data, random.Random(1)) is None


@pytest.mark.parametrize("name", ["h264.mp4", "mjpeg.mov"])
def test_boxes_that_are_not_changed_are_written_as_they_were(name: str, tmp_path: Path) -> None:
    make_clip(tmp_path / name, next(spec for spec in CLIPS if spec.name == name))
    clip = (tmp_path / name).read_bytes()

    assert media_mutations._with_leaves(clip, lambda _: None) == clip


@pytest.mark.parametrize("pts", [0, 1, 90_000, 2**30, 2**32 + 12345, 2**33 - 1])
def test_a_time_of_a_transport_stream_is_read_as_it_was_written(pts: int) -> None:
    data = bytearray(b"\x31\x00\x01\x00\x01")

    media_mutations._set_ts_pts(data, 0, pts)

    assert media_mutations._ts_pts(data, 0) == pts
    assert (data[0] & 0xF1, data[2] & 1, data[4] & 1) == (0x31, 1, 1)


def test_the_time_of_a_frame_is_where_the_mutation_looks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "h264.ts"
    make_clip(path, next(spec for spec in CLIPS if spec.name == "h264.ts"))
    data = bytearray(path.read_bytes())
    places = [found.end() for found in media_mutations._TIMED_PES.finditer(data)]
    with av.open(str(path)) as container:
        times = {packet.pts for packet in container.demux() if packet.pts is not None}

    read = {media_mutations._ts_pts(data, at) for at in places}

    start = min(read) - min(times)  # what the muxer adds to all times, and FFmpeg does not take off
    assert len(read & {time + start for time in times}) >= len(times) / 2
