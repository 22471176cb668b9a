"""A playlist with discontinuities becomes parts, each on its own clock."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capbench.errors import SourceError, UnsafePlaylistError
from capbench.pipeline.decode.hls_playlist import check_playlist, files_of, is_playlist, media_playlist, playlist_parts
from capbench.pipeline.decode.open_source import stored_bytes

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n"
END = "#EXT-X-ENDLIST\n"


def write(folder: Path, body: str, *, head: str = HEAD, end: str = END) -> Path:
    """A playlist beside files of every name that the tests use."""
    for name in ("a.m4s", "b.m4s", "c.m4s", "init.mp4", "other.mp4"):
        (folder / name).write_bytes(b"")
    path = folder / "playlist.m3u8"
    path.write_text(head + body + end)
    return path


def test_one_clock_gives_no_parts(tmp_path: Path) -> None:
    path = write(tmp_path, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXTINF:4,\na.m4s\n#EXTINF:4,\nb.m4s\n")

    assert playlist_parts(path) == []


def test_parts_start_where_the_stated_lengths_end(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.000,title\na.m4s\n#EXTINF:2.5,\nb.m4s\n'
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="other.mp4"\n#EXT-X-BYTERANGE:10@0\n#EXTINF:1.001,\nc.m4s\n',
    )

    first, second = playlist_parts(path)

    assert [first.start_s, second.start_s] == [0, Fraction("6.5")]
    assert first.text.splitlines() == [
        *("#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", f'#EXT-X-MAP:URI="{tmp_path}/init.mp4"'),
        *("#EXTINF:4.000,title", f"{tmp_path}/a.m4s", "#EXTINF:2.5,", f"{tmp_path}/b.m4s", "#EXT-X-ENDLIST"),
    ]
    assert second.text.splitlines() == [
        *("#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", f'#EXT-X-MAP:URI="{tmp_path}/other.mp4"'),
        *("#EXT-X-BYTERANGE:10@0", "#EXTINF:1.001,", f"{tmp_path}/c.m4s", "#EXT-X-ENDLIST"),
    ]


def test_map_lasts_until_the_next(tmp_path: Path) -> None:
    body = '#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1,\na.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nb.m4s\n'

    assert all("init.mp4" in part.text for part in playlist_parts(write(tmp_path, body)))


def test_discontinuity_before_anything_makes_no_empty_part(tmp_path: Path) -> None:
    parts = playlist_parts(write(tmp_path, "#EXT-X-DISCONTINUITY\n#EXTINF:1,\na.m4s\n#EXT-X-DISCONTINUITY\n"))

    assert [part.start_s for part in parts] == [0]


def test_length_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a length that is not a number: '#EXTINF:long,'"):
        playlist_parts(write(tmp_path, "#EXTINF:long,\na.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nb.m4s\n"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("#EXT-X-KEY:METHOD=AES-128,URI=init.mp4\n#EXTINF:1,\na.m4s\n", "is encrypted"),
        (f"#EXTINF:1,\n{'x' * 5000}\n", "a line of 5000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused(body: str, words: str, tmp_path: Path) -> None:
    with pytest.raises((SourceError, UnsafePlaylistError), match=words):
        check_playlist(write(tmp_path, body))


def test_key_that_says_there_is_none_is_fine(tmp_path: Path) -> None:
    check_playlist(write(tmp_path, "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\na.m4s\n"))


JOINED = "#EXTINF:1,\na.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nb.m4s\n"
PLAIN = "#EXTINF:1,\na.m4s\n#EXTINF:1,\nb.m4s\n"


def write_master(folder: Path, media: str, *, extra: str = "") -> Path:
    """A master playlist whose variants are `media.m3u8` and a copy of it."""
    for name in ("first", "second"):
        write(folder, media).rename(folder / f"{name}.m3u8")
    master = folder / "master.m3u8"
    variant = "#EXT-X-STREAM-INF:BANDWIDTH={}\n# a comment\n{}.m3u8\n"
    master.write_text(f"#EXTM3U\n{extra}{variant.format(1, 'first')}{variant.format(2, 'second')}")
    return master


@pytest.mark.parametrize(("media", "read"), [(JOINED, "first.m3u8"), (PLAIN, "master.m3u8")])
def test_of_variants_with_discontinuities_the_first_is_read(media: str, read: str, tmp_path: Path) -> None:
    """FFmpeg reads variants side by side, and nothing could be split there."""
    master = write_master(tmp_path, media)

    check_playlist(master)

    assert media_playlist(master) == tmp_path / read


def test_sound_apart_from_a_variant_with_discontinuities_is_refused(tmp_path: Path) -> None:
    """It would be exported without, and nobody would be told."""
    write(tmp_path, PLAIN).rename(tmp_path / "sound.m3u8")
    sound = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="sound.m3u8"\n'

    with pytest.raises(SourceError, match=r"discontinuities.*first\.m3u8"):
        check_playlist(write_master(tmp_path, JOINED, extra=sound))


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"#EXTM3U\n", True), (b"\xef\xbb\xbf#EXTM3U\n", True), (b" #EXTM3U\n", False), (b"", False), (b"RIFF", False)],
)
def test_playlist_is_known_by_its_first_line(content: bytes, expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)

    assert is_playlist(path) is expected


def write_variants(folder: Path, count: int, *, media: str = PLAIN) -> Path:
    """A master playlist of so many variants, each a playlist of its own."""
    text = write(folder, media).read_text()
    for number in range(count):
        (folder / f"v{number}.m3u8").write_text(text)
    master = folder / "master.m3u8"
    master.write_text("#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={n + 1}\nv{n}.m3u8\n" for n in range(count)))
    return master


def test_many_variants_are_checked_in_time_proportional_to_their_number(tmp_path: Path) -> None:
    """800 took 41 s; what 150 may take is a hundred times what they do."""
    master = write_variants(tmp_path, 150)
    began_s = time.monotonic()

    check_playlist(master)
    assert media_playlist(master) == master

    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize("count", [201, 800])
def test_more_variants_than_anybody_has_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(UnsafePlaylistError, match=r"master\.m3u8 names more than 200 playlists"):
        check_playlist(write_variants(tmp_path, count))


def write_chain(folder: Path, length: int) -> Path:
    """Masters each of which names the next, and a media playlist at the end."""
    write(folder, PLAIN).rename(folder / f"m{length}.m3u8")
    for number in range(length):
        (folder / f"m{number}.m3u8").write_text(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nm{number + 1}.m3u8\n")
    return folder / "m0.m3u8"


@pytest.mark.parametrize("length", [4, 1000])
def test_a_chain_of_masters_is_refused(length: int, tmp_path: Path) -> None:
    with pytest.raises(UnsafePlaylistError, match=r"m0\.m3u8 names playlists in more than 4 levels"):
        check_playlist(write_chain(tmp_path, length))


def test_a_master_of_masters_is_followed(tmp_path: Path) -> None:
    check_playlist(write_chain(tmp_path, 2))


@pytest.mark.parametrize("discontinuity", ["", "#EXT-X-DISCONTINUITY\n"])
@pytest.mark.parametrize(
    "length", ["1e99999999", "1e9", "inf", "nan", "-1", "1/3", "long", "9" * 4000, "999999999", "86401", "1" * 9 + ".5"]
)
def test_lengths_that_no_segment_has_are_refused_at_once(length: str, discontinuity: str, tmp_path: Path) -> None:
    """1e99999999 is a number of a hundred million digits once somebody works it out."""
    path = write(tmp_path, f"#EXTINF:1,\na.m4s\n{discontinuity}#EXTINF:{length},\nb.m4s\n")

    with pytest.raises(SourceError) as caught:
        check_playlist(path)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_playlist_of_megabytes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "# a comment\n" * 800_000 + PLAIN)

    with pytest.raises(UnsafePlaylistError, match="more than 8388608 bytes"):
        check_playlist(path)


_LINES = st.one_of(
    st.sampled_from(
        [
            *("#EXTINF:1,", "#EXTINF:4.5,title", "#EXTINF:1e9,", "#EXTINF:", "#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST"),
            *("a.m4s", "b.m4s", "../a.m4s", "/etc/passwd", "file:a.m4s", "none.m4s", " a.m4s", "playlist.m3u8"),
            *('#EXT-X-MAP:URI="init.mp4"', "#EXT-X-MAP:URI=init.mp4", '#EXT-X-MAP:URI="/etc/passwd"', "#EXT-X-KEY:"),
            *("#EXT-X-STREAM-INF:BANDWIDTH=1", '#EXT-X-MEDIA:TYPE=AUDIO,URI="a.m4s"', "#EXT-X-VERSION:7", "# x", ""),
        ]
    ),
    st.text(max_size=30),
)


@settings(deadline=None)  # it writes files, and a busy disk is no fault
@given(st.lists(_LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r", "\0"]))
def test_any_playlist_is_refused_or_split_into_parts_of_files_inside_its_folder(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], line_end: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-playlist"
    folder.mkdir(exist_ok=True)
    path = write(folder, "")
    path.write_bytes(line_end.join(["#EXTM3U", *lines, ""]).encode("utf-8", "surrogatepass"))
    try:
        check_playlist(path)
        parts = playlist_parts(media_playlist(path))
    except SourceError:
        return

    starts = [part.start_s for part in parts]
    assert starts == sorted(starts)
    assert all(part.start_s >= 0 for part in parts)
    named = [line for part in parts for line in part.text.splitlines() if line and not line.startswith("#")]
    assert all(Path(name).is_relative_to(folder) and Path(name).is_file() for name in named)
    # What is split is the playlist, in order, with nothing lost.
    own = [line.rstrip(" \t\v\f") for line in lines if line.strip() and not line.startswith("#")]
    if parts and line_end == "\n" and not any(set(line) & set("\r\0\n") for line in lines):
        assert len(named) == len(own)


def test_the_size_of_a_playlist_is_that_of_all_its_files(tmp_path: Path) -> None:
    media = write(tmp_path, '#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4,\na.m4s\n#EXTINF:4,\nb.m4s\n#EXTINF:4,\na.m4s\n')
    for name, size in (("init.mp4", 10), ("a.m4s", 1000), ("b.m4s", 2000), ("c.m4s", 4000)):
        (tmp_path / name).write_bytes(bytes(size))
    master = tmp_path / "master.m3u8"
    master.write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist.m3u8\n")

    assert {path.name for path in files_of(master)} == {"master.m3u8", "playlist.m3u8", "init.mp4", "a.m4s", "b.m4s"}
    assert stored_bytes(media) == 3010 + media.stat().st_size
    assert stored_bytes(tmp_path / "a.m4s") == 1000


@pytest.mark.parametrize(
    ("body", "is_allowed"),
    [
        ("#EXTINF:1,\na.m4s\n" * 501, True),
        ("#EXTINF:1,\na.m4s\n" * 502, False),
        ("#EXT-X-DISCONTINUITY\n#EXTINF:1,\na.m4s\n#EXTINF:1,\nb.m4s\n" * 300, False),
        ("#EXTINF:1,\n#EXT-X-BYTERANGE:10@0\na.m4s\n" * 502, False),
        ("#EXTINF:1,\n#EXT-X-BYTERANGE:10\na.m4s\n" * 2000, True),
        ("".join(f"#EXTINF:1,\n#EXT-X-BYTERANGE:10@{10 * n}\na.m4s\n" for n in range(2000)), True),
    ],
    ids=["a-slate", "too-often", "two-too-often", "one-range", "ranges-that-follow", "ranges"],
)
def test_a_playlist_does_not_repeat_a_segment_for_ever(body: str, is_allowed: bool, tmp_path: Path) -> None:
    """Ten thousand lines with one name are hours of a second."""
    path = write(tmp_path, body)

    if is_allowed:
        check_playlist(path)
    else:
        with pytest.raises(UnsafePlaylistError, match="500 are allowed"):
            check_playlist(path)
