"""How the referee reads a file's colours and times, and that validation reads colours as it does."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.reading.opened_clip import open_clip
from capbench.quality.validate import validate
from capbench.results import Check, CheckStatus
from tests.strangers.clip_facts import facts_at as facts
from tests.strangers.container_colours import ContainerColours, container_colours
from tests.strangers.foreign_exporters import Request
from tests.strangers.refereeing import plane_referee, referee
from tests.strangers.refereeing.opinions import Opinion
from tests.strangers.refereeing.other_rates import judge_lateness, judge_length
from tests.strangers.refereeing.plane_referee import is_centred, judge_matrix
from tests.strangers.refereeing.referee import judge
from tests.strangers.stream_facts import ShownFrame, StreamFacts, probe
from tests.strangers.tool_programs import run_tool

BT709, BT601, FULL = (
    ("-colorspace", name, "-color_primaries", name, "-color_trc", name, "-color_range", span)
    for name, span in (("bt709", "tv"), ("smpte170m", "tv"), ("bt709", "pc"))
)
X264, X265 = ("-c:v", "libx264"), ("-c:v", "libx265", "-x265-params", "log-level=error")
VP8, VP9 = (("-c:v", codec, "-deadline", "realtime", "-b:v", "1M") for codec in ("libvpx", "libvpx-vp9"))
MJPEG, PRORES, MPEG2 = ("-c:v", "mjpeg"), ("-c:v", "prores_ks"), ("-c:v", "mpeg2video", "-r", "25")


def bits(codec: str, states: str) -> tuple[str, str]:
    """What changes the bitstream and not the container."""
    return "-bsf:v", f"{codec}_metadata={states}"


READINGS = {
    "silent": (".mp4", X264, (601, False, False)),
    "silent, 720 lines": (".mkv", (*X264, "-s", "1280x720"), (709, False, False)),
    "VP8 has BT.601 at any size": (".webm", (*VP8, "-s", "1280x720"), (601, False, False)),
    "VP8 against its container": (".webm", (*VP8, *FULL), (601, False, False)),
    "VP9": (".webm", (*VP9, *FULL), (709, True, False)),
    "the container alone, WebM": (
        ".webm",
        (*VP9, *BT709, *bits("vp9", "color_space=unknown")),
        (709, False, False),
    ),
    "the container alone, MKV": (
        ".mkv",
        (*X264, *BT709, *bits("h264", "matrix_coefficients=2")),
        (709, False, False),
    ),
    "the container alone, MP4": (
        ".mp4",
        (*X265, *BT709, *bits("hevc", "matrix_coefficients=2")),
        (709, False, False),
    ),
    "the bitstream alone": (".avi", (*X264, *BT709), (709, False, False)),
    "the bitstream against its container": (
        ".mp4",
        (*X264, *BT709, *bits("h264", "matrix_coefficients=6")),
        (601, False, False),
    ),
    "a range against its container": (
        ".mkv",
        (*X264, *BT709, *bits("h264", "video_full_range_flag=1")),
        (709, True, False),
    ),
    "JPEG": (".avi", (*MJPEG, "-pix_fmt", "yuvj420p"), (601, True, True)),
    "JPEG in limited range": (
        ".mkv",
        (*MJPEG, "-strict", "-1", "-pix_fmt", "yuv420p", "-color_range", "tv"),
        (601, False, True),
    ),
    "ProRes, silent in MOV": (".mov", (*PRORES, "-pix_fmt", "yuv422p10le", *BT709), (709, False, False)),
    "ProRes, silent in MKV": (".mkv", (*PRORES, "-pix_fmt", "yuv422p10le", *BT709), (709, False, False)),
    "MPEG-2, with a display extension": (".ts", (*MPEG2, *BT709), (709, False, False)),
    "MPEG-2, without": (".mpg", MPEG2, (601, False, False)),
    "MPEG-1": (".mpg", ("-c:v", "mpeg1video", "-r", "25"), (601, False, True)),
    "H.263": (".avi", ("-c:v", "h263", "-s", "352x288"), (601, False, True)),
    "Theora": (".mkv", ("-c:v", "libtheora", *BT709), (709, False, True)),
    "a stated siting": (".mp4", (*X264, *bits("h264", "chroma_sample_loc_type=1")), (601, False, True)),
    "raw": (".nut", ("-c:v", "rawvideo"), (601, False, False)),
    "FFV1": (".mkv", ("-c:v", "ffv1", *BT601), (601, False, False)),
}
"""What a file says, or leaves open, to matrix, whether its range is full, and whether chroma lies in the middle."""


def ffmpeg_or_skip() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")


def export(path: Path, *options: str, source: str = "testsrc2=s=160x96:r=30:d=0.1") -> Path:
    run_tool(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", *options, path])
    return path


@pytest.mark.parametrize("name", READINGS)
def test_the_referee_and_validation_read_colours_alike(tmp_path: Path, name: str) -> None:
    ffmpeg_or_skip()
    suffix, options, expected = READINGS[name]
    path = export(tmp_path / f"clip{suffix}", *options)

    told, spec = probe(path), open_clip(path).spec

    assert (told.matrix_by_rule(), told.full_range, is_centred(told)) == expected
    assert (int(spec.matrix.value), spec.range.value == "full", spec.siting.value == "centre") == expected


def test_what_a_container_states_is_read_from_its_bytes(tmp_path: Path) -> None:
    colr = b"\0\0\0\x13colrnclx" + bytes([0, 9, 0, 16, 0, 9, 0x80])
    element = b"\x55\xb0\x88\x55\xb1\x81\x06\x55\xb9\x81\x01"
    (tmp_path / "a.mp4").write_bytes(b"moov" + colr)
    (tmp_path / "a.mov").write_bytes(b"moov" + colr.replace(b"nclx", b"nclc"))
    (tmp_path / "a.mkv").write_bytes(element + b"\x1f\x43\xb6\x75")
    (tmp_path / "later.mkv").write_bytes(b"\x1f\x43\xb6\x75" + element)  # coded pictures, by chance

    assert container_colours(tmp_path / "a.mp4") == ContainerColours("bt2020nc", True, "bt2020", "smpte2084")
    assert container_colours(tmp_path / "a.mov") == ContainerColours("bt2020nc", None, "bt2020", "smpte2084")
    assert container_colours(tmp_path / "a.mkv") == ContainerColours("smpte170m", False)
    assert container_colours(tmp_path / "later.mkv") == ContainerColours()


def test_a_length_of_matroska_may_take_eight_bytes(tmp_path: Path) -> None:
    """As GStreamer writes it, which does not know yet how long the element becomes."""
    inside = bytes.fromhex("55b98101 55b18106 55ba8106 55bb8106")
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x55\xb0\x01" + len(inside).to_bytes(7, "big") + inside + b"\x1f\x43\xb6\x75")

    assert container_colours(path) == ContainerColours("smpte170m", False, "smpte170m", "smpte170m")


PQ = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-color_range", "tv")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], StreamFacts]:
    """Clips that state one thing, by their tags."""
    ffmpeg_or_skip()
    folder = tmp_path_factory.mktemp("tagged")
    return {tags: probe(export(folder / f"{tags[1]}.mkv", *X264, *tags)) for tags in (BT709, PQ)}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ((BT709, "video_full_range_flag=1"), ["tags"]),
        ((BT709, "matrix_coefficients=6"), ["tags"]),
        ((BT709, "colour_primaries=9"), ["tags"]),
        ((PQ, "transfer_characteristics=18"), ["tags"]),
        # One curve under two numbers (ITU-T H.273, table 3), and places of which one is silent.
        ((BT709, "transfer_characteristics=6"), []),
        ((BT709, "matrix_coefficients=2"), []),
        ((BT709, "transfer_characteristics=2:colour_primaries=2"), []),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_place_that_says_another_thing_than_the_other_is_wrong_tags(
    tmp_path: Path,
    tagged: dict[tuple[str, ...], StreamFacts],
    suffix: str,
    stated: tuple[tuple[str, ...], str],
    expected: list[str],
) -> None:
    tags, states = stated
    source = tagged[tags]
    output = export(tmp_path / f"output{suffix}", *X264, *tags, *bits("h264", states))

    found = [each.subject for each in referee._tags(source, probe(output))]
    check = next(each for each in check_files(source.path, output) if each.name == "tags.agree")

    assert found == expected
    assert (check.status is CheckStatus.FAIL) == bool(expected)


def check_files(source: Path, output: Path) -> tuple[Check, ...]:
    return validate(source, output, with_vmaf=False).checks


def test_of_a_source_that_contradicts_itself_the_other_reading_is_no_fault(tmp_path: Path) -> None:
    """VP8 cannot state BT.709 or full range; WebM can. Codes that nobody changed are right by one, or by the other."""
    ffmpeg_or_skip()
    source = export(tmp_path / "source.webm", *VP8, *FULL)
    opinions = {}
    for name, tags in (("bitstream", BT601), ("container", FULL), ("neither", BT709)):
        # What changes the tags alone: FFmpeg would convert for the encoder.
        keep = ("-vf", "setparams=range=tv:colorspace=smpte170m", "-c:v", "libx264", "-qp", "8", *tags)
        run_tool(
            ["ffmpeg", "-v", "error", "-y", "-i", source, *keep, "-bsf:v", _stated(tags), tmp_path / f"{name}.mkv"]
        )
        opinions[name] = judge(probe(source), probe(tmp_path / f"{name}.mkv"), Request()).opinion

    assert opinions == {"bitstream": Opinion.RIGHT, "container": Opinion.DOUBTFUL, "neither": Opinion.WRONG}


def _stated(tags: tuple[str, ...]) -> str:
    code, full = {"bt709": 1, "smpte170m": 6}[tags[1]], int(tags[-1] == "pc")
    return f"h264_metadata=matrix_coefficients={code}:video_full_range_flag={full}"


def chroma_files(
    monkeypatch: pytest.MonkeyPatch, colour_codes: float, *, converted: bool
) -> tuple[StreamFacts, StreamFacts]:
    """Facts of a BT.709 clip and of one read as BT.601, and planes of blocks whose colours are that strong."""
    random = np.random.default_rng(8)
    luma = np.full((2, 96, 160), 120, np.float32)
    chroma = [
        np.kron(128 + random.normal(0, colour_codes, (2, 12, 20)), np.ones((1, 4, 4))).astype(np.float32)
        for _ in range(2)
    ]
    size = {"width": 160, "height": 96}
    reference = facts([Fraction(0)], **size)
    output = facts([Fraction(0)], matrix="smpte170m", codec="mpeg2video", **size)
    planes = {"h264": [luma, *chroma]}
    planes["mpeg2video"] = [luma, *plane_referee.chroma_recoded(reference, output, [luma, *chroma])]
    if not converted:
        planes["mpeg2video"] = [luma, *chroma]
    noise = [random.normal(0, 0.5, plane.shape).astype(np.float32) for plane in planes["mpeg2video"]]
    planes["mpeg2video"] = [a + b for a, b in zip(planes["mpeg2video"], noise, strict=True)]
    monkeypatch.setattr(plane_referee, "decode_planes", lambda told, _: planes[told.codec])
    return reference, output


@pytest.mark.parametrize(
    ("colour_codes", "converted", "opinions"),
    [(30, False, ["wrong"]), (8, False, ["doubtful"]), (0.5, False, []), (30, True, []), (8, True, [])],
)
def test_codes_that_stay_where_the_matrix_changed_are_another_matrix_however_faint(
    monkeypatch: pytest.MonkeyPatch, colour_codes: float, converted: bool, opinions: list[str]
) -> None:
    """FFmpeg writes BT.709's codes into JPEG, which everybody reads as BT.601: a nearly grey page hardly shows it."""
    both = chroma_files(monkeypatch, colour_codes, converted=converted)

    found = judge_matrix(*both, plane_referee.planes_of_pairs(*both, [(0, 0), (1, 1)]), {})

    assert [finding.opinion.value for finding in found] == opinions


def test_chroma_that_coding_replaced_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rain at 24 dB it was 1.2 px aside, which was the farthest that is tried, and hardly fitted better."""
    random = np.random.default_rng(4)
    luma = np.full((3, 64, 96), 120, np.float32)
    wanted, other = (128 + np.cumsum(random.normal(0, 4, (3, 32, 48)), axis=2).astype(np.float32) for _ in range(2))
    reference, output = (facts([Fraction(0)], width=96, height=64, chroma_location=place) for place in (None, "center"))
    planes = {None: [luma, wanted, wanted], "center": [luma, 0.4 * wanted + 0.6 * other, 0.4 * wanted + 0.6 * other]}
    monkeypatch.setattr(plane_referee, "decode_planes", lambda told, _: planes[told.chroma_location])

    both = plane_referee.planes_of_pairs(reference, output, [(0, 0), (1, 1), (2, 2)])
    found = plane_referee.judge_siting(reference, output, both, {})

    assert Opinion.WRONG not in {finding.opinion for finding in found}


def at_rate(rate: int, count: int) -> StreamFacts:
    times = tuple(ShownFrame(Fraction(number, rate), Fraction(1, rate)) for number in range(count))
    return facts([], frames=times)


@pytest.mark.parametrize(("count", "opinions"), [(30, []), (31, []), (32, ["wrong"]), (28, ["wrong"])])
def test_at_another_rate_the_length_is_known_without_a_look_at_the_pictures(count: int, opinions: list[str]) -> None:
    """Ffmpeg -fps_mode cfr -r 25 makes 32 frames of 36 at 30 fps: 1.28 s of 1.2 s."""
    assert [each.opinion.value for each in judge_length(at_rate(30, 36), at_rate(25, count))] == opinions


@pytest.mark.parametrize(("late_frames", "opinions"), [(0, []), (1, ["doubtful"]), (2, ["wrong"])])
def test_at_another_rate_pictures_of_another_time_are_late(late_frames: int, opinions: list[str]) -> None:
    reference, output = at_rate(30, 36), at_rate(25, 30)
    wanted = np.arange(36, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32) * 4
    shown = [min(35, max(0, round((n - late_frames) * 30 / 25))) for n in range(30)]

    found = judge_lateness(reference, output, wanted, wanted[shown])

    assert [each.opinion.value for each in found] == opinions


def test_a_picture_that_is_held_is_not_late_while_it_lasts() -> None:
    times = (
        *(ShownFrame(Fraction(n, 30), Fraction(1, 30)) for n in range(9)),
        ShownFrame(Fraction(9, 30), Fraction(1)),
    )
    reference, output = facts([], frames=times), at_rate(25, 32)
    wanted = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32) * 4

    found = judge_lateness(reference, output, wanted, wanted[[min(9, round(n * 30 / 25)) for n in range(32)]])

    assert found == []


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("place", ["left", "center", "topleft"])
@pytest.mark.parametrize(("off_px", "opinions"), [(0.0, []), (1.0, ["wrong"])])
def test_chroma_is_placed_by_the_turn_the_mirror_and_the_siting(
    place: str, turn: int, mirrored: bool, off_px: float, opinions: list[str]
) -> None:
    """The output has its chroma on the left, where the upright picture had it, or a pixel from there."""
    width, height = (192, 128) if turn % 180 == 0 else (128, 192)
    first = 0.5 if place == "center" else 0.0, 0.0 if place == "topleft" else 0.5

    def shown(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float32]:
        waves = np.sin(columns / 4.1 + rows / 17) + np.sin(rows / 4.7 - columns / 19)
        return (128 + 30 * waves).astype(np.float32)[None].repeat(2, axis=0)

    def coded(step: int, at: tuple[float, float]) -> NDArray[np.float32]:
        """What the reference stores, of which a viewer sees the waves once it is turned, and mirrored then."""
        x, y = np.meshgrid(np.arange(0, width, step) + at[0], np.arange(0, height, step) + at[1])
        for quarter in range(turn // 90):
            x, y = y, (width, height)[quarter % 2] - 1 - x
        return shown(191 - x if mirrored else x, y)

    luma = coded(1, (0, 0))
    chroma = coded(2, first)
    x, y = np.meshgrid(np.arange(0, 192, 2) + 0.0 + off_px, np.arange(0, 128, 2) + 0.5)
    u, v = np.meshgrid(np.arange(192.0), np.arange(128.0))
    reference = facts(
        [Fraction(0)], width=width, height=height, rotation=turn, is_mirrored=mirrored, chroma_location=place
    )
    output = facts([Fraction(0)], width=192, height=128, chroma_location="left")

    found = plane_referee.judge_siting(
        reference, output, ([luma, chroma, chroma], [shown(u, v), shown(x, y), shown(x, y)]), {}
    )

    assert [finding.opinion.value for finding in found] == opinions


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize(("stated_full", "opinions"), [(True, []), (False, ["wrong"])])
def test_the_range_of_a_turned_clip_is_looked_at_too(
    monkeypatch: pytest.MonkeyPatch, turn: int, stated_full: bool, opinions: list[str]
) -> None:
    """FFmpeg 4.1 turned a clip of full range, left its codes as they were, and called them limited."""
    random = np.random.default_rng(5)
    luma = np.kron(random.uniform(20, 235, (2, 16, 24)), np.ones((1, 8, 8))).astype(np.float32)
    grey = np.full((2, 64, 96), 128, np.float32)
    shown = [np.rot90(plane, turn // 90, axes=(1, 2)) for plane in (luma, grey, grey)]
    height, width = shown[0].shape[1:]
    reference = facts([Fraction(0)], width=192, height=128, rotation=turn, full_range=True)
    output = facts([Fraction(0)], width=width, height=height, codec="hevc", full_range=stated_full)
    monkeypatch.setattr(
        plane_referee, "decode_planes", lambda told, _: shown if told.codec == "hevc" else [luma, grey, grey]
    )

    both = plane_referee.planes_of_pairs(reference, output, [(0, 0), (1, 1)])
    found = plane_referee.judge_range(reference, output, both, {})

    assert [finding.opinion.value for finding in found] == opinions


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), (0, False)),
        ((0, 1, -1, 0), (270, False)),
        ((-1, 0, 0, 1), (0, True)),
        ((1, 0, 0, -1), (180, True)),
        ((0, 1, 1, 0), (270, True)),
    ],
)
def test_a_mirror_of_the_track_header_is_read_beside_its_turn(
    tmp_path: Path, matrix: tuple[int, int, int, int], expected: tuple[int, bool]
) -> None:
    path = tmp_path / "turned.mp4"
    run_tool(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=1", *X264, path])
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value * 65536 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)

    read = probe(path)

    assert (read.rotation % 360, read.is_mirrored) == expected


@pytest.mark.parametrize(
    ("draw", "cut", "opinions"),
    [
        (lambda codes: codes, np.floor, ["wrong"]),
        (lambda codes: codes, lambda codes: np.floor(codes + 0.5), []),
        (lambda codes: codes, lambda codes: codes - 0.25, ["doubtful"]),
        # One colour, 0.4 of a code over the next whole one in all components, is rounded to that.
        (lambda codes: np.full_like(codes, 120.4), np.floor, ["doubtful"]),
        # Of whole codes nothing can be cut off.
        (np.round, lambda codes: codes - 0.4, ["doubtful"]),
    ],
    ids=["cut off", "rounded", "a quarter too low", "a single colour", "whole codes"],
)
def test_ten_bits_that_are_cut_off_at_eight_are_too_low(
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    cut: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    opinions: list[str],
) -> None:
    """GStreamer's and MLT's converters cut them off, by 0.38 of a code; the referee saw luma alone."""
    random = np.random.default_rng(6)
    planes = [(random.integers(256, 768, (2, 128 // step, 192 // step)) / 4).astype(np.float32) for step in (1, 2, 2)]
    planes = [draw(plane) for plane in planes]
    noise = [random.normal(0, 0.7, plane.shape).astype(np.float32) for plane in planes]
    shown = [cut(plane) + each for plane, each in zip(planes, noise, strict=True)]
    size = {"width": 192, "height": 128}
    reference = facts([Fraction(0)], **size, pixel_format="yuv420p10le")
    output = facts([Fraction(0)], codec="hevc", **size)
    monkeypatch.setattr(plane_referee, "decode_planes", lambda told, _: shown if told.codec == "hevc" else planes)

    both = plane_referee.planes_of_pairs(reference, output, [(0, 0), (1, 1)])
    found = plane_referee.judge_truncation(reference, output, both, {})

    assert [finding.opinion.value for finding in found] == opinions
