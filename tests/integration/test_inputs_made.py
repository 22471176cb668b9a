"""Made clips for what no real clip shows: odd clocks, containers, damage, turns, colour tags, and what is no video."""

from __future__ import annotations

import struct
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import ColourError, DamagedStreamError, SourceError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.reading.clip import Clip


def write_clip(
    path: Path,
    times: list[int],
    *,
    time_base: Fraction = Fraction(1, 90000),
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
) -> Path:
    """A clip whose frames have these PTS, each of a grey that tells its number."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = time_base
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for number, pts in enumerate(times):
            frame: Any = av.VideoFrame(*size, "yuv420p")
            for plane, code in zip(frame.planes, (40 + 5 * number, 128, 128), strict=True):
                np.frombuffer(plane, np.uint8)[:] = code
            frame.pts, frame.time_base = pts, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def without_its_first_picture(path: Path) -> Path:
    """Twelve pictures in three groups, of which the first picture's data is damaged beyond decoding."""
    write_clip(path, [n * 3600 for n in range(12)], options={"g": "4", "bf": "0"})
    with av.open(str(path)) as container:
        first: Any = next(container.demux(video=0))
    data = bytearray(path.read_bytes())
    data[first.pos : first.pos + first.size] = b"\xff" * first.size
    path.write_bytes(data)
    return path


def shown(path: Path) -> list[tuple[int, float]]:
    """Number and time of each frame of a clip that `write_clip` began."""
    with av.open(str(path)) as container:
        return [
            (round((int(plane_samples(frame.planes[0])[0, 0]) - 40) / 5), round(float(frame.time or 0), 4))
            for frame in container.decode(video=0)
        ]


PASSED_ON = ExportOptions(
    encoder=EncoderSettings(preset="ultrafast", qp=4), colour=ColourSpec(matrix=MatrixCoefficients.BT601)
)
"""An untagged small source is BT.601: asked for the same, nothing is drawn and grey stays the same grey."""
VARIABLE = [0, 9000, 12000, 30000, 33000, 90000]
"""0, 0.1, 0.1333, 0.3333, 0.3667 and 1 s."""


def test_variable_rate_is_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", VARIABLE)

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    assert shown(tmp_path / "out.mp4") == [(n, round(pts / 90000, 4)) for n, pts in enumerate(VARIABLE)]
    assert report.frame_rate is None
    assert "variable" in report.unmeasured["frame_rate"]


def test_variable_rate_is_made_constant(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", VARIABLE)
    options = ExportOptions(
        path="gpu", fps=Fraction(10), encoder=EncoderSettings(preset="ultrafast", qp=4), colour=PASSED_ON.colour
    )

    report = export(source, tmp_path / "out.mp4", options)

    # What is on screen at each tenth of a second, half a tick early: 0.1333 s is shown at 0.1 s, 0.3333 and 0.3667 s
    # compete for 0.3 and 0.4 s.
    assert [number for number, _ in shown(tmp_path / "out.mp4")][:11] == [0, 2, 2, 3, 4, 4, 4, 4, 4, 4, 5]
    assert [time_s for _, time_s in shown(tmp_path / "out.mp4")][:3] == [0.0, 0.1, 0.2]
    assert report.frame_rate == "10"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mkv", "libx264"), ("ts", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"), ("h264", "libx264")],
)
def test_other_containers_keep_every_frame_in_order(suffix: str, codec: str, tmp_path: Path) -> None:
    """AVI knows no presentation times, a bare stream no times at all, WebM only milliseconds."""
    source = write_clip(tmp_path / f"in.{suffix}", list(range(12)), time_base=Fraction(1, 25), codec=codec)

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    frames = shown(tmp_path / "out.mp4")
    assert [number for number, _ in frames] == list(range(12))
    assert np.diff([time_s for _, time_s in frames]) == pytest.approx(0.04, abs=0.0011)
    assert report.warnings == ()


def test_times_that_repeat_or_start_anew_become_rising_ones(tmp_path: Path) -> None:
    """Two bare transport streams one after the other: the clock starts anew in the middle."""
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.ts", [n * 90000 for n in range(4)])
    source = tmp_path / "in.ts"
    source.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())

    report = export(source, tmp_path / "out.mp4", PASSED_ON)

    frames = shown(tmp_path / "out.mp4")
    assert [number for number, _ in frames] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert np.all(np.diff([time_s for _, time_s in frames]) > 0)
    assert any("at frame 4" in warning for warning in report.warnings)


def turned(tmp_path: Path, *matrix: float) -> Path:
    """A clip whose track header has this display matrix: a, b, c, d of ISO/IEC 14496-12, 6.2.2."""
    path = write_clip(tmp_path / "in.mp4", [0, 3600])
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (round(value * 65536) for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("matrix", "degrees"),
    [
        ((1, 0, 0, 1), 0),
        ((0, 1, -1, 0), 90),
        ((-1, 0, 0, -1), 180),
        ((0, -1, 1, 0), 270),
        ((0.001, 1, -1, 0.001), 90),
    ],
)
def test_quarter_turns_are_read(matrix: tuple[float, ...], degrees: int, tmp_path: Path) -> None:
    assert probe_source(turned(tmp_path, *matrix)).rotation_degrees == degrees


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ((-1, 0, 0, 1), "is shown mirrored"),
        ((1, 0, 0, -1), "is shown mirrored"),
        ((0, 1, 1, 0), "is shown mirrored"),
        ((0.7071, 0.7071, -0.7071, 0.7071), "rotated by 45 degrees; only quarter turns"),
    ],
)
def test_other_display_matrices_are_refused(matrix: tuple[float, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=words):
        probe_source(turned(tmp_path, *matrix))


def test_damage_at_the_very_start(tmp_path: Path) -> None:
    """The first group of pictures is gone: it is an error with nothing good, and salvage begins at the next."""
    source = without_its_first_picture(tmp_path / "in.mp4")

    with pytest.raises(DamagedStreamError, match="0 frames decode"):
        export(source, tmp_path / "out.mp4", PASSED_ON)
    report = export(source, tmp_path / "out.mp4", replace(PASSED_ON, salvage=True))

    assert [number for number, _ in shown(tmp_path / "out.mp4")] == list(range(4, 12))
    assert any("damaged from frame 0 on" in warning for warning in report.warnings)


def test_error_of_a_decoder_that_ends_before_the_other_stages_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a crowded machine the first thread may be through before the next one starts: its own error is raised."""
    source = without_its_first_picture(tmp_path / "in.mp4")
    start = threading.Thread.start

    def start_and_wait(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "capbench-decode":
            thread.join()

    monkeypatch.setattr(threading.Thread, "start", start_and_wait)

    for path in ("passthrough", "cpu"):
        with pytest.raises(DamagedStreamError, match="0 frames decode"):
            export(source, tmp_path / "out.mp4", replace(PASSED_ON, path=path))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(transfer: int, name: str, tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mp4", [0, 3600], tags={"color_trc": transfer, "color_primaries": 9, "colorspace": 9}
    )

    with pytest.raises(ColourError, match=f"is HDR, transfer {name}"):
        export(source, tmp_path / "out.mp4")

    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("option", "siting", "down"),
    [
        ({}, ChromaSiting.LEFT, 0.0),
        ({"x264-params": "chromaloc=1"}, ChromaSiting.CENTRE, 0.0),
        ({"x264-params": "chromaloc=2"}, ChromaSiting.LEFT, -0.5),
    ],
)
def test_chroma_siting_is_read_from_the_stream(
    option: dict[str, str], siting: ChromaSiting, down: float, tmp_path: Path
) -> None:
    """Of the top left place the row too: a quarter turn makes it half a pixel aside."""
    source = write_clip(tmp_path / "in.mp4", [0, 3600], options=option)

    assert probe_source(source).colour == ColourSpec(MatrixCoefficients.BT601, Range.LIMITED, siting, down)


def test_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(64, 48, "yuvj420p")
        frame.pts = 0
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))

    with pytest.raises(SourceError, match="has no video stream"):
        probe_source(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mp4", b"", "is empty"),
        ("notes.txt", b"not a video\n" * 50, "not a video but text"),
        ("notes.md", b"# not a video\n" * 50, "not a video that FFmpeg can read"),
        ("list.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "not a video"),
        ("absent.mp4", None, "no such file"),
        ("folder", None, "is a folder"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    source = tmp_path / name
    if name == "folder":
        source.mkdir()
    elif content is not None:
        source.write_bytes(content)

    with pytest.raises(SourceError, match=words) as caught:
        export(source, tmp_path / "out.mp4")

    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("from_end", [1, 2, 4, 8])
def test_damage_in_the_last_packets_is_seen_however_many_threads_decode(from_end: int, tmp_path: Path) -> None:
    """Frame threads hand out the last pictures, and the last errors, in one go at the end: PyAV drops such errors."""
    source = write_clip(tmp_path / "in.mp4", [3600 * number for number in range(30)])
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = places[-from_end]
    assert position is not None
    content = bytearray(source.read_bytes())
    # The length of the NAL unit stays; its header says a slice, and what follows is none.
    content[position + 4 : position + size] = b"\x21" + b"\xff" * (size - 5)
    source.write_bytes(content)

    with pytest.raises(DamagedStreamError, match="frames decode"):
        list(read_frames(source, warn=pytest.fail))

    validated = Clip(source)
    assert len(list(validated.frames())) < 30
    assert validated.error is not None


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_damage_in_packets_without_times_is_seen_however_many_threads_decode(threads: int) -> None:
    """Of a transport stream that is cut short: a picture whose packet states no time was not missed."""
    source = Path(__file__).parents[1] / "fuzz" / "corpus" / "export-end-without-times" / "h264.ts"

    with pytest.raises(DamagedStreamError, match="5 frames decode"):
        list(read_frames(source, warn=pytest.fail, threads=threads))
