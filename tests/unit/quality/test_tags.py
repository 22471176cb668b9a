"""Colour tags read back from files that were written with known ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from capbench.bitstream.mp4_boxes import find_colour_box
from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import PictureError, SourceError
from capbench.quality.reading.opened_clip import open_clip
from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.reading.tags import ColourTags, is_sited, read_tags, spec_of
from tests.coded_clips import write_codes


def video(
    path: Path, *, codes: tuple[int, int, int] = (1, 1, 1), full: bool = False, location: str | None = None
) -> Path:
    """Two grey pictures with these primaries, transfer and matrix."""
    with av.open(str(path), "w") as container:
        options = {} if location is None else {"chroma_sample_location": location}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = codes
        context.color_range = 2 if full else 1
        for index in range(2):
            frame = as_frame(Planes(np.full((48, 64), 90, np.uint8), *np.full((2, 24, 32), 128, np.uint8)))
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codes", "full", "expected"),
    [
        ((1, 1, 1), False, ColourSpec()),
        ((6, 6, 6), True, ColourSpec(MatrixCoefficients.BT601, Range.FULL)),
        ((9, 14, 9), False, ColourSpec(MatrixCoefficients.BT2020)),
    ],
)
def test_tags_are_read_from_both_places(
    tmp_path: Path, codes: tuple[int, int, int], full: bool, expected: ColourSpec
) -> None:
    tags = read_tags(video(tmp_path / "tagged.mp4", codes=codes, full=full))

    assert tags.container == ColourTags(*codes, full_range=full)
    assert (tags.bitstream.primaries, tags.bitstream.transfer, tags.bitstream.matrix) == codes
    assert tags.bitstream.full_range is full
    assert spec_of(tags.merged, 48) == expected


@pytest.mark.parametrize(
    ("location", "code", "siting"),
    # x264 does not write 0, which is what silence means.
    [(None, None, ChromaSiting.LEFT), ("left", None, ChromaSiting.LEFT), ("center", 1, ChromaSiting.CENTRE)],
)
def test_the_chroma_location_is_read(
    tmp_path: Path, location: str | None, code: int | None, siting: ChromaSiting
) -> None:
    tags = read_tags(video(tmp_path / "sited.mp4", location=location))

    assert tags.bitstream.chroma_location == code
    assert spec_of(tags.merged, 48).siting is siting


def test_what_the_container_says_does_not_leak_into_the_bitstream(tmp_path: Path) -> None:
    """FFmpeg would merge the two: here the colr box alone is edited."""
    path = video(tmp_path / "edited.mp4")
    content = path.read_bytes()
    place = content.index(b"colrnclx") + 8
    path.write_bytes(content[:place] + bytes([0, 6, 0, 6, 0, 6]) + content[place + 6 :])

    tags = read_tags(path)

    assert tags.container is not None
    assert (tags.container.matrix, tags.bitstream.matrix) == (6, 1)
    assert tags.merged.matrix == 1  # decoders follow the bitstream
    assert tags.contradicting_spec(48) == ColourSpec(MatrixCoefficients.BT601)
    assert read_tags(video(tmp_path / "as_made.mp4")).contradicting_spec(48) is None


def test_a_silent_file_is_read_by_its_height(tmp_path: Path) -> None:
    tags = read_tags(video(tmp_path / "silent.mp4", codes=(2, 2, 2)))

    assert not tags.merged.states_colour
    assert spec_of(tags.merged, 480).matrix is MatrixCoefficients.BT601
    assert spec_of(tags.merged, 720).matrix is MatrixCoefficients.BT709


def test_a_container_without_a_place_for_colour_is_not_held_against_the_file(tmp_path: Path) -> None:
    assert read_tags(video(tmp_path / "tagged.avi")).container is None


def matroska(path: Path, codec: str, across: int) -> Path:
    """One grey picture of BT.709, its container's Colour element saying where chroma lies (1 left, 2 between)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        frame = as_frame(Planes(np.full((48, 64), 90, np.uint8), *np.full((2, 24, 32), 128, np.uint8)))
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    # PyAV cannot state a siting: it takes the place of primaries and transfer, which are as long.
    content = path.read_bytes()
    for old, new in ((b"\x55\xbb\x81", b"\x55\xb7\x81" + bytes([across])), (b"\x55\xba\x81", b"\x55\xb8\x81\x02")):
        place = content.index(old)
        content = content[:place] + new + content[place + 4 :]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("codec", "across", "siting", "sited"),
    [
        ("ffv1", 1, ChromaSiting.LEFT, True),
        ("ffv1", 2, ChromaSiting.CENTRE, True),
        ("ffv1", 0, ChromaSiting.LEFT, False),
        ("libx264", 2, ChromaSiting.LEFT, True),  # what H.264 leaves out is left: no decoder asks the container
    ],
)
def test_where_a_codec_leaves_it_open_matroska_says_where_chroma_lies(
    tmp_path: Path, codec: str, across: int, siting: ChromaSiting, sited: bool
) -> None:
    tags = read_tags(matroska(tmp_path / "sited.mkv", codec, across))

    assert spec_of(tags.merged, 48).siting is siting
    assert is_sited("h264" if codec == "libx264" else codec, tags) is sited


def test_codecs_of_one_siting_have_it_whatever_the_container_says(tmp_path: Path) -> None:
    """H.263's chroma lies in the middle (figure 2 of the recommendation), as do JPEG's, MPEG-1's and Theora's."""
    grey = [np.full((144, 176), 90), *np.full((2, 72, 88), 128)]
    path = write_codes(tmp_path / "h263.avi", [grey], codec="h263")

    tags = read_tags(path)

    assert spec_of(tags.merged, 144).siting is ChromaSiting.CENTRE
    assert is_sited("h263", tags)


def test_vc3_has_chroma_on_every_second_sample_of_luma_whatever_the_container_leaves_open(tmp_path: Path) -> None:
    """A clip that melt turned, with chroma of 4:2:2 between the columns, which no tag of DNxHR could ever say."""
    grey = [np.full((120, 256), 90), *np.full((2, 120, 128), 128)]
    path = write_codes(tmp_path / "dnxhr.mov", [grey], "yuv422p", "dnxhd", {"profile": "dnxhr_sq"})

    tags = read_tags(path)

    assert spec_of(tags.merged, 120).siting is ChromaSiting.LEFT
    assert is_sited("dnxhd", tags)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not boxes at all",
        (8).to_bytes(4, "big") + b"moov",
        (24).to_bytes(4, "big") + b"moov" + (4).to_bytes(4, "big") + b"trak" + bytes(8),
        (2**31).to_bytes(4, "big") + b"moov" + bytes(20),
    ],
)
def test_damaged_boxes_hold_no_colour(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)

    assert find_colour_box(path) is None


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_colour_that_only_matroska_states_counts(tmp_path: Path, codec: str) -> None:
    tags = read_tags(matroska(tmp_path / "stated.mkv", codec, across=0))

    assert tags.container is not None
    assert tags.container.matrix == 1
    assert tags.bitstream.states_colour == (codec == "libx264")
    assert tags.merged.matrix == 1
    assert spec_of(tags.merged, 48) == ColourSpec()


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (64, 1)])
def test_a_picture_of_one_row_or_column_is_refused(size: tuple[int, int]) -> None:
    """It has no block of 2x2 pixels, and ended in a traceback."""
    frame = av.VideoFrame(*size, "yuv420p")

    with pytest.raises(PictureError, match="less than 2x2"):
        as_frame(planes_of(frame))


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (64, 1)])
def test_a_file_of_one_row_or_column_is_named(size: tuple[int, int], tmp_path: Path) -> None:
    """The message did not say which of the two files it was about."""
    path = tmp_path / "small.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, av.VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, "gray"
        container.mux(stream.encode(av.VideoFrame(*size, "gray")))
        container.mux(stream.encode(None))

    with pytest.raises(SourceError, match=f"small.mov.*{size[0]}x{size[1]}"):
        open_clip(path)


def test_an_edit_list_that_shows_nothing_is_named(tmp_path: Path) -> None:
    """It ended with "the video stream is empty", which it is not."""
    path = video(tmp_path / "edited.mp4")
    content = path.read_bytes()
    place = content.index(b"elst") + 16  # behind version, flags, count and duration: where in the media it begins
    path.write_bytes(content[:place] + (10**5).to_bytes(4, "big") + content[place + 4 :])

    with pytest.raises(SourceError, match="its edit list shows none of the 2 that it stores"):
        open_clip(path)
