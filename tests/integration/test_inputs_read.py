"""What a source says about itself in unusual ways: colour, shape, times, EXIF, and names that look like patterns."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.compositor.geometry import CanvasSize, canvas_size
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.frame_times import at_constant_rate
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.reading.clip import Clip
from capbench.quality.reading.tags import read_tags, spec_of

STEP_CODES = 5
"""Luma codes between one picture of a made clip and the next."""


def write_numbered(
    path: Path,
    *,
    codec: str,
    options: dict[str, str] | None = None,
    frames: int = 24,
    tags: Mapping[str, int | Fraction] | None = None,
    size: tuple[int, int] = (64, 48),
    first: int = 0,
    pixel_format: str = "yuv420p",
) -> Path:
    """A clip at 25 frames a second whose pictures are greys that tell their number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        for number in range(first, first + frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane, code in zip(frame.planes, (40 + STEP_CODES * number, 128, 128), strict=True):
                plane_samples(plane)[:] = code
            frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers_and_ticks(
    path: Path, *, salvage: bool = False, warn: Callable[[str], None] = pytest.fail
) -> list[tuple[float, float]]:
    """Number of each picture, and its time in frames of 25 a second."""
    frames = read_frames(path, warn=warn, salvage=salvage)
    return [
        ((float(plane_samples(frame.planes[0]).mean()) - 40) / STEP_CODES, float(frame.time or 0) * 25)
        for frame in frames
    ]


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "3", "b-pyramid": "normal", "g": "12", "qp": "10"}),
        ("libx264", {"bf": "0", "qp": "10"}),
        ("mpeg4", {"bf": "2", "q": "1"}),
        ("mpeg4", {"q": "1"}),
        ("mpeg2video", {"bf": "2", "q": "1"}),
    ],
    ids=str,
)
def test_avi_has_no_presentation_times_and_is_shown_in_order_all_the_same(
    codec: str, options: dict[str, str], salvage: bool, tmp_path: Path
) -> None:
    """The times that FFmpeg makes up are out of order: the first step took 100 ms, and the picture was late."""
    source = write_numbered(tmp_path / "in.avi", codec=codec, options=options)

    found = numbers_and_ticks(source, salvage=salvage)

    assert [tick for _, tick in found] == pytest.approx(range(24))
    # mpeg4 at its best quality is a code or two off.
    assert [number for number, _ in found] == pytest.approx(range(24), abs=0.7)
    assert probe_source(source).start_s == 0


def test_a_chunk_that_avi_leaves_empty_does_not_shift_what_follows(tmp_path: Path) -> None:
    """A recorder that drops a picture stores a chunk of no bytes: the one before it is shown longer."""
    whole = write_numbered(tmp_path / "whole.avi", codec="mpeg4", options={"q": "1", "g": "1"})
    source = tmp_path / "in.avi"
    with av.open(str(whole)) as read, av.open(str(source), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size and packet.dts not in (5, 6):  # the muxer fills the gap with empty chunks
                packet.stream = stream
                written.mux(packet)

    found = numbers_and_ticks(source, warn=lambda _: None)  # the header counts empty chunks

    kept = [number for number in range(24) if number not in (5, 6)]
    assert [tick for _, tick in found] == pytest.approx(kept)
    assert [number for number, _ in found] == pytest.approx(kept, abs=0.7)


def is_bi_predicted(packet: bytes) -> bool:
    """By the type of the picture in an MPEG-4 packet (ISO/IEC 14496-2, 6.2.5)."""
    return packet[packet.index(b"\x00\x00\x01\xb6") + 4] >> 6 == 2


@pytest.mark.parametrize("salvage", [False, True])
def test_packed_bitstream_in_avi_is_shown_in_order(salvage: bool, tmp_path: Path) -> None:
    """DivX and XviD put a picture and the bi-predicted one before it into one chunk, and nothing into the next."""
    plain = write_numbered(
        tmp_path / "plain.avi",
        codec="mpeg4",
        options={"bf": "1", "b_strategy": "0", "q": "1", "sc_threshold": "1000000"},
    )
    source = tmp_path / "in.avi"
    with av.open(str(plain)) as read, av.open(str(source), "w") as written:
        chunks: list[bytes] = []
        for packet in (bytes(packet) for packet in read.demux(video=0) if packet.size):
            if is_bi_predicted(packet):
                chunks[-1] += packet
                chunks.append(b"\x00\x00\x01\xb6\x51\x00\x7f")  # a picture that is not coded
            else:
                chunks.append(packet)
        chunks[0] = b"\x00\x00\x01\xb2DivX503b1393p" + chunks[0]
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, chunk in enumerate(chunks):
            packed = av.Packet(chunk)
            packed.stream, packed.time_base = stream, Fraction(1, 25)
            packed.pts = packed.dts = number
            packed.is_keyframe = number == 0
            written.mux(packed)
    assert sum(len(chunk) == 7 for chunk in chunks) > 8

    found = numbers_and_ticks(source, salvage=salvage)

    assert [tick for _, tick in found] == pytest.approx(range(24))
    assert [number for number, _ in found] == pytest.approx(range(24), abs=0.7)


def write_rgb(path: Path, codec: str, pixel_format: str, picture: Image.Image) -> Path:
    """A clip of two frames in an RGB format."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"qp": "0"} if codec == "libx264rgb" else {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *picture.size, pixel_format
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("height", [180, 720])
@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("in.mkv", "ffv1", "bgr0"),
        ("in.mp4", "libx264rgb", "rgb24"),
        ("in.avi", "utvideo", "gbrp"),
        ("in.mov", "qtrle", "rgb24"),
        ("in.mov", "png", "rgb24"),
        ("in.apng", "apng", "rgb24"),
        ("in.avi", "rawvideo", "bgr24"),
        ("in.png", "", ""),
        ("in.tiff", "", ""),
        ("in.bmp", "", ""),
        ("in.gif", "", ""),
    ],
)
def test_rgb_sources_take_the_matrix_that_their_size_means(
    name: str, codec: str, pixel_format: str, height: int, tmp_path: Path
) -> None:
    source, colour = tmp_path / name, (14, 222, 4)
    picture = Image.new("RGB", (320, height), colour)
    if codec:
        write_rgb(source, codec, pixel_format, picture)
    else:
        picture.save(source)

    frame = next(read_frames(source, warn=pytest.fail))

    spec = probe_source(source).colour
    assert spec.matrix is (MatrixCoefficients.BT709 if height >= 720 else MatrixCoefficients.BT601)
    luma, chroma = rgb_to_nv12(np.full((16, 16, 3), colour, np.uint8), ColourSpec(spec.matrix, spec.range))
    codes = [int(plane_samples(plane)[height // 2, 160]) for plane in frame.planes]
    # A code for swscale's integers, and another for x264rgb and a GIF's palette.
    assert codes == pytest.approx([int(luma[8, 8]), *map(int, chroma[4, 4])], abs=2)


_TAGS_IN_PRORES_FRAME = 14
"""Bytes from the mark `icpf` to the code points of a frame header: primaries, transfer, matrix (SMPTE RDD 36, 5.1)."""


def write_prores(path: Path, tags: Mapping[str, int]) -> Path:
    """A clip whose container states its colour and whose pictures do not."""
    write_numbered(path, codec="prores_ks", tags=tags, frames=3, pixel_format="yuv422p10le", size=(320, 180))
    parts = path.read_bytes().split(b"icpf")
    silent = [part[:_TAGS_IN_PRORES_FRAME] + bytes([2, 2, 2]) + part[_TAGS_IN_PRORES_FRAME + 3 :] for part in parts[1:]]
    assert len(silent) == 3
    path.write_bytes(b"icpf".join([parts[0], *silent]))
    return path


@pytest.mark.parametrize(("code", "matrix"), [(1, MatrixCoefficients.BT709), (9, MatrixCoefficients.BT2020)])
def test_colour_that_the_container_alone_states_counts(code: int, matrix: MatrixCoefficients, tmp_path: Path) -> None:
    """ProRes' decoder writes the silence of its frames over it: below 720 lines such a clip was read as BT.601."""
    source = write_prores(tmp_path / "in.mov", {"colorspace": code, "color_primaries": code, "color_trc": 1})

    assert probe_source(source).colour.matrix is matrix
    assert len(list(read_frames(source, warn=pytest.fail))) == 3
    tags = read_tags(source)
    assert (tags.bitstream.matrix, spec_of(tags.merged, 180).matrix) == (None, matrix)  # as validation reads it


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"colorspace": 1}, {"colorspace": 6}, "from BT.709, limited range to BT.601, limited range"),
        ({"colorspace": 1, "color_range": 1}, {"colorspace": 1, "color_range": 2}, "to BT.709, full range"),
        ({"colorspace": 1, "color_primaries": 1}, {"colorspace": 1, "color_primaries": 9}, "BT.2020 primaries"),
    ],
)
def test_colour_that_changes_on_the_way_is_refused(
    first: dict[str, int], second: dict[str, int], words: str, tmp_path: Path
) -> None:
    """The second half was read by the tags of the first."""
    parts = [
        write_numbered(tmp_path / f"{n}.ts", codec="libx264", tags=tags, first=8 * n, frames=8)
        for n, tags in enumerate((first, second))
    ]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))

    with pytest.raises(SourceError, match="changes at frame 8") as caught:
        list(read_frames(source, warn=lambda _: None))

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pixels_that_change_their_shape_are_refused(tmp_path: Path) -> None:
    """A broadcast that goes over from 4:3 to 16:9 keeps its size and changes its pixels."""
    parts = [
        write_numbered(
            tmp_path / f"{n}.ts", codec="libx264", tags={"sample_aspect_ratio": aspect}, first=8 * n, frames=8
        )
        for n, aspect in enumerate((Fraction(12, 11), Fraction(16, 11)))
    ]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))

    with pytest.raises(SourceError, match=r"changes from 12:11 to 16:11 after frame [0-8];"):
        list(read_frames(source, warn=lambda _: None))


def exif_bytes(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    return exif


@pytest.mark.parametrize(("orientation", "degrees"), [(1, 0), (3, 180), (6, 90), (8, 270)])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "mjpeg"])
def test_pictures_with_exif_are_read_and_turned(suffix: str, orientation: int, degrees: int, tmp_path: Path) -> None:
    """PyAV 18.1 raised `31 is not a valid Type` for all side data of such a frame."""
    source = tmp_path / f"in.{suffix}"
    picture = Image.new("RGB", (64, 48), (200, 40, 90))
    picture.save(source, format="jpeg" if suffix == "mjpeg" else None, exif=exif_bytes(orientation))
    if suffix == "mjpeg":
        source.write_bytes(source.read_bytes() * 3)

    assert probe_source(source).rotation_degrees == degrees
    assert len(list(read_frames(source, warn=pytest.fail))) == (3 if suffix == "mjpeg" else 1)


def test_a_mirrored_picture_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    Image.new("RGB", (64, 48)).save(source, exif=exif_bytes(2))

    with pytest.raises(SourceError, match="is shown mirrored"):
        probe_source(source)


@pytest.mark.parametrize("name", ["%d.png", "%d.jpg", "%02d.png", "a%d.png", "*.png", "[0-9].png", "%*.png"])
def test_a_picture_named_like_a_pattern_is_that_picture(name: str, tmp_path: Path) -> None:
    """FFmpeg took `%d.png` for 0.png, 1.png and so on, and exported those."""
    for number in range(3):
        for other in (f"{number}", f"{number:02}", f"a{number}"):
            Image.new("RGB", (64, 48), (0, 0, 255)).save(tmp_path / f"{other}{Path(name).suffix}")
    Image.new("RGB", (64, 48), (255, 255, 255)).save(tmp_path / name)

    frames = list(read_frames(tmp_path / name, warn=pytest.fail))

    assert len(frames) == 1
    assert plane_samples(frames[0].planes[0]).min() > 200


@pytest.mark.parametrize(("name", "codec"), [("in.mp4", "libvpx-vp9"), ("in.mp4", "mpeg4"), ("in.mov", "libx264")])
def test_pixels_that_the_container_alone_describes_count(name: str, codec: str, tmp_path: Path) -> None:
    """VP9 has no pixel aspect of its own: the export was 320x180. Matroska is among the files that went wrong."""
    source = tmp_path / name
    with av.open(str(source), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 4)
        frame = av.VideoFrame(320, 180, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    info = probe_source(source)

    assert info.pixel_aspect == Fraction(3, 4)
    assert canvas_size(info, None, None) == CanvasSize(240, 180)


@pytest.mark.parametrize("size", [(60000, 1), (2, 17000), (9000, 9000)])
def test_pictures_that_are_too_large_are_refused_in_one_line(size: tuple[int, int], tmp_path: Path) -> None:
    """60000x1 met the GPU's own message; a PNG of kilobytes may state a picture of gigabytes."""
    Image.new("L", size).save(tmp_path / "in.png")

    with pytest.raises(SourceError) as caught:
        probe_source(tmp_path / "in.png")

    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("keep", [20, 60, 200])
def test_a_picture_cut_short_is_refused_or_read(keep: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    source = tmp_path / "in.png"
    source.write_bytes((tmp_path / "whole.png").read_bytes()[:keep])

    with pytest.raises(SourceError) as caught:
        list(read_frames(source, warn=lambda _: None))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("codec", "suffix"), [("libsvtav1", "mkv"), ("libvpx-vp9", "webm")])
@pytest.mark.parametrize("from_end", [1, 2, 4, 8, 16])
def test_damage_is_seen_in_decoders_with_threads_of_their_own(
    codec: str, suffix: str, from_end: int, tmp_path: Path
) -> None:
    """Dav1d hands out the last pictures late, and PyAV drops the error between them: 11 of 12 frames, and no word."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    source = tmp_path / f"in.{suffix}"
    # libsvtav1, opened as root, makes its whole process a real-time one (SCHED_FIFO), which starves everything else.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(write_numbered, source, codec=codec, size=(128, 128)).result()
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert len(packets) == 24
    body = packets[-from_end]
    content = bytearray(source.read_bytes())
    place = content.index(body)
    content[place + 2 : place + len(body)] = b"\xff" * (len(body) - 2)
    source.write_bytes(content)

    with pytest.raises(DamagedStreamError):
        list(read_frames(source, warn=lambda _: None))
    validated = Clip(source)
    list(validated.frames())
    assert validated.error is not None
    warnings: list[str] = []
    assert 0 < len(list(read_frames(source, warn=warnings.append, salvage=True))) < 24
    assert any("damaged" in warning for warning in warnings)


def test_a_last_frame_that_claims_days_is_shown_for_one_frame(tmp_path: Path) -> None:
    """At a constant rate it was shown again towards six million times."""
    source = tmp_path / "in.mkv"
    whole = write_numbered(tmp_path / "whole.mkv", codec="libx264", frames=3, options={"bf": "0"})
    with av.open(str(whole)) as read, av.open(str(source), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for packet in packets:
            packet.stream = stream
            packet.duration = 5 * 24 * 3_600_000 if packet is packets[-1] else 40
            written.mux(packet)
    info, warnings = probe_source(source), list[str]()

    shown = list(
        at_constant_rate(read_frames(source, warn=warnings.append), info.origin_s, Fraction(25), info.frame_rate)
    )

    assert len(shown) == 3
