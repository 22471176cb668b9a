"""Mastering display and content light level, as containers and FFmpeg state them; Dolby Vision's profile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from capbench.bitstream.light_metadata import ContentLight, LightMetadata, MasteringDisplay, light_metadata_of_boxes
from capbench.bitstream.mp4_boxes import find_colour_box, find_entry_boxes
from capbench.pipeline.decode.hdr.dolby_vision import profile_of_boxes, profile_of_rpu
from tests.hdr_clips import box, mdcv_box

GREEN, BLUE = (0.265, 0.69), (0.15, 0.06)
P3 = MasteringDisplay(((0.68, 0.32), GREEN, BLUE), (0.3127, 0.329), 1000.0, 0.0001)


def test_boxes_of_mp4_and_of_vp9_say_the_same() -> None:
    clli = (b"clli", struct.pack(">2H", 1000, 400))
    points = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    fixed = struct.pack(">8H2I", *(round(point * 2**16) for point in points), 1000 << 8, round(0.0001 * 2**14))
    vp9 = [(b"SmDm", bytes(4) + fixed), (b"CoLL", bytes(4) + struct.pack(">2H", 1000, 400))]

    of_mp4, of_vp9 = light_metadata_of_boxes([(b"mdcv", mdcv_box()[8:]), clli]), light_metadata_of_boxes(vp9)

    assert of_mp4.content == of_vp9.content == ContentLight(1000, 400)
    for found in (of_mp4.mastering, of_vp9.mastering):
        assert found is not None
        assert found.agrees(P3)


@pytest.mark.parametrize(
    "other",
    [
        MasteringDisplay(((0.68, 0.3201), GREEN, BLUE), P3.white, 1000.0, 0.0001),
        MasteringDisplay(P3.primaries, P3.white, 1001.0, 0.0001),
        MasteringDisplay(P3.primaries, P3.white, 1000.0, 0.0005),
        MasteringDisplay(None, None, 1000.0, 0.0001),
        MasteringDisplay(P3.primaries, P3.white, None, None),
    ],
)
def test_another_display_does_not_agree(other: MasteringDisplay) -> None:
    assert not P3.agrees(other)
    assert not other.agrees(P3)


def test_silence_contradicts_nothing() -> None:
    assert not LightMetadata(P3).contradicts(LightMetadata(None, ContentLight(1, 1)))
    assert LightMetadata(None, ContentLight(1000, 400)).contradicts(LightMetadata(P3, ContentLight(1000, 300)))


def test_boxes_that_are_too_short_say_nothing() -> None:
    assert light_metadata_of_boxes([(b"mdcv", bytes(23)), (b"clli", bytes(3))]) == LightMetadata()


def entry_file(path: Path, *boxes: bytes) -> Path:
    entry = box(b"hvc1", bytes(78) + b"".join(boxes))
    tree = box(b"stsd", bytes(8) + entry)
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        tree = box(kind, tree)
    path.write_bytes(tree)
    return path


def test_the_colour_box_is_the_one_with_code_points(tmp_path: Path) -> None:
    path = entry_file(tmp_path / "icc.mp4", box(b"colr", b"prof" + bytes(20)), box(b"colr", b"nclx" + bytes(7)))

    assert find_colour_box(path) == b"nclx" + bytes(7)


def test_the_profile_of_dolby_vision_is_read_from_its_box(tmp_path: Path) -> None:
    path = entry_file(tmp_path / "vision.mp4", box(b"dvcC", bytes([1, 0, 5 << 1, 0]) + bytes(20)))

    assert profile_of_boxes(find_entry_boxes(path)) == 5
    assert profile_of_boxes(()) is None


@pytest.mark.parametrize(("profile", "full_range", "expected"), [(0, 1, 5), (0, 0, None), (1, 0, None), (1, 1, None)])
def test_the_profile_of_dolby_vision_is_read_from_a_frame(profile: int, full_range: int, expected: int | None) -> None:
    header = bytes([0, 0, 0, 0, profile, 0, 0, 0, 0, 0, full_range, 0])

    assert profile_of_rpu((16).to_bytes(8, "little") + bytes(8) + header) == expected


@pytest.mark.parametrize("data", [b"", bytes(7), (2**40).to_bytes(8, "little") + bytes(8), bytes(9)])
def test_damaged_metadata_names_no_profile(data: bytes) -> None:
    assert profile_of_rpu(data) is None


def test_boxes_that_nest_without_end_or_claim_more_than_there_is_say_nothing(tmp_path: Path) -> None:
    nested = b""
    for _ in range(5000):
        nested = box(b"trak", nested)
    huge = (1).to_bytes(4, "big") + b"free" + (2**64 - 1).to_bytes(8, "big")
    many = box(b"free", b"") * 20_000 + box(b"moov", b"")
    for number, content in enumerate((box(b"moov", nested), huge, many, b"", b"moov", bytes(64))):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)

        assert find_entry_boxes(path) == ()
