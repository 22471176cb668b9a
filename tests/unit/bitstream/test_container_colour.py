"""Where AV1's header and Matroska's Colour element put chroma, and what the latter says of matrix and range."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from capbench.bitstream import chroma_location, stated_chroma_location
from capbench.bitstream.matroska_colour import MatroskaColour, find_matroska_colour

SVT_AV1 = bytes.fromhex("81000d000a0e00000003c59cfc02f81010101240")
"""`av1C` of a 180x320 stream by SVT-AV1, which says that chroma lies on the left, between two rows."""


def element(name: int, content: bytes) -> bytes:
    """With a size of eight bytes, as live recorders write it."""
    length = -(-name.bit_length() // 8)
    return name.to_bytes(length, "big") + (len(content) | 1 << 56).to_bytes(8, "big") + content


def number(name: int, value: int) -> bytes:
    return element(name, bytes([value]))


def matroska(colour: bytes, *, before: bytes = b"", segment_size: bytes | None = None) -> bytes:
    sound = element(0xAE, number(0x83, 2))
    video = element(0xAE, number(0x83, 1) + element(0xE0, element(0x55B0, colour)))
    content = before + element(0x1654AE6B, sound + video)
    segment = element(0x18538067, content)
    if segment_size is not None:
        segment = segment[:4] + segment_size + content
    return element(0x1A45DFA3, b"\x42\x82\x84webm") + segment


def found(tmp_path: Path, content: bytes) -> MatroskaColour | None:
    path = tmp_path / "clip.webm"
    path.write_bytes(content)
    return find_matroska_colour(path)


@pytest.mark.parametrize(
    ("across", "down", "location"), [(1, 2, 0), (2, 2, 1), (1, 1, 2), (2, 1, 3), (0, 2, None), (9, 1, None)]
)
def test_a_colour_element_is_read(tmp_path: Path, across: int, down: int, location: int | None) -> None:
    codes = number(0x55B1, 9) + number(0x55BA, 16) + number(0x55BB, 9) + number(0x55B9, 2)

    colour = found(tmp_path, matroska(codes + number(0x55B7, across) + number(0x55B8, down)))

    assert colour == MatroskaColour(primaries=9, transfer=16, matrix=9, full_range=True, chroma_location=location)


def test_what_is_unspecified_or_left_out_is_none(tmp_path: Path) -> None:
    silent = MatroskaColour(None, None, None, None, None)

    assert found(tmp_path, matroska(b"")) == silent
    assert found(tmp_path, matroska(number(0x55B1, 2) + number(0x55B9, 0) + number(0x55BA, 2))) == silent


def test_a_segment_of_unknown_size_is_read_up_to_its_first_cluster(tmp_path: Path) -> None:
    info, cluster = element(0x1549A966, bytes(40)), element(0x1F43B675, bytes(20))

    assert found(tmp_path, matroska(number(0x55B1, 1), before=info, segment_size=b"\xff")) is not None
    assert found(tmp_path, matroska(number(0x55B1, 1), before=cluster)) is None


def test_damaged_and_other_files_have_no_colour(tmp_path: Path) -> None:
    good = matroska(number(0x55B1, 1) + number(0x55B7, 2))

    for length in range(len(good)):
        found(tmp_path, good[:length])
    for at in range(len(good)):
        found(tmp_path, good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
    assert found(tmp_path, b"") is None
    assert found(tmp_path, bytes(300)) is None
    assert found(tmp_path, b"\x00\x00\x00\x18ftypisom" + bytes(40)) is None


def test_many_elements_end_the_search(tmp_path: Path) -> None:
    """A file of nothing but empty elements is not walked to its end."""
    assert found(tmp_path, matroska(number(0x55B1, 1), before=element(0xEC, b"") * 5000)) is None


def test_av1_says_where_chroma_lies() -> None:
    assert chroma_location("av1", SVT_AV1) == 0
    assert chroma_location("libdav1d", SVT_AV1) == 0


def test_damaged_av1_headers_are_none_or_a_number_and_never_an_error() -> None:
    for length in range(len(SVT_AV1)):
        assert chroma_location("av1", SVT_AV1[:length]) in (None, 0, 2)
    for at in range(len(SVT_AV1)):
        for mask in (0xFF, 0x10, 0x01):
            spoilt = SVT_AV1[:at] + bytes([SVT_AV1[at] ^ mask]) + SVT_AV1[at + 1 :]
            assert chroma_location("av1", spoilt) in (None, 0, 2)


def test_the_coded_video_counts_before_the_container(tmp_path: Path) -> None:
    centred = tmp_path / "centred.webm"
    centred.write_bytes(matroska(number(0x55B7, 2) + number(0x55B8, 2)))

    assert stated_chroma_location(centred, "vp9", b"") == 1
    assert stated_chroma_location(centred, "av1", SVT_AV1) == 0
    assert stated_chroma_location(centred, "h264", b"") is None  # its standard says what silence means
    assert stated_chroma_location(tmp_path / "absent.webm", "vp9", b"") is None


def test_a_file_that_ffmpeg_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(30))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 14, 9, 2
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))

    colour = find_matroska_colour(path)

    assert colour is not None
    assert (colour.primaries, colour.transfer, colour.matrix, colour.full_range) == (9, 14, 9, True)
