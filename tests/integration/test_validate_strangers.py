"""`validate` on files of other programs: what is right passes, what is wrong is named, hostile files end in a line."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.quality.expectation import Expectation
from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.validate import validate, validate_run
from capbench.results import CheckStatus, ValidationReport
from capbench.selftest.reencode import Remake, Tags, remake
from capbench.selftest.specimen import source_clip
from tests.coded_clips import write_codes

WIDTH, HEIGHT, FRAMES = 192, 144, 20


@pytest.fixture(scope="module")
def cases() -> Path:
    """Folder of files that went wrong elsewhere; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip(f"files that went wrong are absent: no folder {folder}")
    return folder


def failures(report: ValidationReport) -> dict[str, str]:
    return {check.name: check.message for check in report.failures}


def status(report: ValidationReport, name: str) -> CheckStatus:
    return next(check.status for check in report.checks if check.name == name)


@pytest.mark.parametrize(
    ("reference", "output"),
    [
        ("centre51.mp4", "centre51_right.mp4"),
        ("mjpeg.mov", "mjpeg_right_gpu.mp4"),
        ("rr_30_1.mkv", "rr_30_1.mp4"),
        ("single_frame.mp4", "single_frame.mp4"),
        ("empty_sound.mkv", "empty_sound.mkv"),
        ("gray_hevc.mp4", "gray_hevc_right.mp4"),
        ("raw_bframes.h264", "raw_bframes_right.mp4"),
        ("tiny.mp4", "tiny.mp4"),
    ],
)
def test_right_outputs_pass(cases: Path, reference: str, output: str) -> None:
    assert failures(validate(cases / reference, cases / output, with_vmaf=False)) == {}


@pytest.mark.parametrize(("output", "check"), [("swapped", "audio.sides"), ("inverted", "audio.polarity")])
def test_wrong_sound_is_named(cases: Path, output: str, check: str) -> None:
    report = validate(cases / "stereo.mp4", cases / f"stereo_{output}_WRONG.mp4", with_vmaf=False)

    assert list(failures(report)) == [check]


@pytest.mark.parametrize(
    ("name", "words"), [("video_without_decoder", "no decoder"), ("huge_pixel_aspect", "pixel aspect")]
)
def test_hostile_files_end_in_one_line(cases: Path, name: str, words: str) -> None:
    file = str(cases / "hostile" / f"{name}.mp4")

    result = CliRunner().invoke(command_line.app, ["validate", file, file])

    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_sound_without_a_decoder_is_unchecked_and_pictures_are_not(cases: Path) -> None:
    file = cases / "hostile" / "sound_without_decoder.mp4"

    report = validate(file, file, with_vmaf=False)

    assert status(report, "audio.present") is CheckStatus.UNCHECKED
    assert "no decoder" in failures(report)["audio.present"]
    assert status(report, "picture.quality") is CheckStatus.PASS


def test_xpsnr_is_left_alone_where_ffmpeg_divides_by_zero(cases: Path) -> None:
    report = validate(cases / "tiny.mp4", cases / "tiny.mp4", with_vmaf=False)

    assert "16x16" in report.unmeasured["xpsnr_y"]
    assert report.metrics["psnr_y"].frames == report.frames_compared


Picture = Callable[[int], NDArray[np.uint8]]


def scenery(number: int) -> NDArray[np.uint8]:
    """Luma with edges, gradients and something that moves."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    luma = 60 + across // 4 + 30 * ((down // 24 + across // 32) % 2) + down // 6
    luma[40:80, 6 * number : 6 * number + 40] = 200
    return np.asarray(luma, np.uint8)


def write(
    target: Path, form: str, *, codec: str = "ffv1", picture: Picture = scenery, times: list[Fraction] | None = None
) -> Path:
    """A clip whose frames are drawn in yuv444p and then brought to a format by the encoder's own rules."""
    with av.open(str(target), "w") as container:
        stream = container.add_stream(codec, rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, form
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(FRAMES):
            luma = picture(number)
            planes = np.stack([luma, 255 - luma, np.roll(luma, 20, axis=1)])
            frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
            shaped = frame.reformat(format=form, src_color_range=1, dst_color_range=1)
            shaped.pts, shaped.time_base = number, Fraction(1, 30)
            if times is not None:
                shaped.pts, shaped.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(shaped))
        container.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("late", [0, 1])
def test_fields_of_two_moments_are_named(late: int, tmp_path: Path) -> None:
    """An exporter that writes interlaced video: half of each picture's rows are those of the frame before."""

    def woven(number: int) -> NDArray[np.uint8]:
        picture = scenery(number)
        picture[late::2] = scenery(max(0, number - 1))[late::2]
        return picture

    reference = write(tmp_path / "reference.mkv", "yuv420p")

    report = validate(reference, write(tmp_path / "woven.mkv", "yuv420p", picture=woven), with_vmaf=False)

    assert "interlaced" in failures(report)["picture.fields"]
    assert status(validate(reference, reference, with_vmaf=False), "picture.fields") is CheckStatus.PASS


@pytest.mark.parametrize(
    "form",
    [
        "yuv444p",
        "yuv440p",
        "yuv422p",
        "yuv411p",
        "yuv410p",
        "yuva420p",
        "yuv422p10le",
        "yuv444p12le",
        "gray",
        "gray10le",
    ],
)
def test_any_subsampling_and_depth_is_itself(form: str, tmp_path: Path) -> None:
    file = write(tmp_path / "clip.mkv", form)

    report = validate(file, file, with_vmaf=False)

    assert failures(report) == {}
    assert report.metrics["psnr_y"].mean == 100


def test_colour_at_each_pixel_is_where_the_output_says_it_has_it(tmp_path: Path) -> None:
    """What swscale would centre, whatever the stream says."""
    reference = write(tmp_path / "full.mkv", "yuv444p")
    with av.open(str(reference)) as container:
        planes = [
            np.stack([np.asarray(memoryview(p)).reshape(HEIGHT, -1)[:, :WIDTH] for p in f.planes])
            for f in container.decode(video=0)
        ]

    for siting in ("left", "center"):
        output = tmp_path / f"{siting}.mp4"
        with av.open(str(output), "w") as container:
            options = {"qp": "2", "preset": "superfast", "chroma_sample_location": siting}
            stream = container.add_stream("libx264", rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for number, (luma, *chroma) in enumerate(planes):
                frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
                wide = [plane.astype(np.float64).reshape(HEIGHT // 2, 2, WIDTH).mean(axis=1) for plane in chroma]
                before = [np.pad(plane, ((0, 0), (1, 0)), mode="edge") for plane in wide]
                small = [
                    (plane[:, 0::2] + plane[:, 1::2]) / 2
                    if siting == "center"
                    else (pad[:, 0:-1:2] + 2 * plane[:, 0::2] + plane[:, 1::2]) / 4
                    for plane, pad in zip(wide, before, strict=True)
                ]
                for target, values in zip(frame.planes, (luma, *small), strict=True):
                    padded = np.zeros((target.height, target.line_size), np.uint8)
                    padded[:, : target.width] = np.floor(values + 0.5)
                    target.update(padded.tobytes())
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

        assert "colour.siting" not in failures(validate(reference, output, with_vmaf=False)), siting


def test_ten_bits_that_became_eight_are_named_unless_they_were_meant(tmp_path: Path) -> None:
    slope = 256 + np.add.outer(np.arange(HEIGHT) // 2, np.arange(WIDTH) // 2)
    bar = (np.arange(WIDTH) // 8 - np.arange(FRAMES)[:, None]) // 3 == 0
    pictures = [[slope + 300 * shown, *np.full((2, HEIGHT // 2, WIDTH // 2), 512)] for shown in bar]
    ten = write_codes(tmp_path / "ten.mkv", pictures, "yuv420p10le")
    eight = write_codes(tmp_path / "eight.mkv", [[(plane + 2) >> 2 for plane in each] for each in pictures])

    unexpected = validate(ten, eight, with_vmaf=False)
    meant = validate(ten, eight, expected=Expectation(bits=8), with_vmaf=False)

    assert "2 bits lost" in failures(unexpected)["picture.depth"]
    assert "--expect-depth 8" in failures(unexpected)["picture.depth"]
    assert failures(meant) == {}
    assert failures(validate(ten, ten, with_vmaf=False)) == {}
    assert status(validate_run(ten, eight, with_vmaf=False), "picture.depth") is CheckStatus.PASS


def test_flat_pictures_have_no_depth_no_detail_and_no_levels_to_lose(tmp_path: Path) -> None:
    def flat(_number: int) -> NDArray[np.uint8]:
        return np.full((HEIGHT, WIDTH), 102, np.uint8)

    reference = write(tmp_path / "flat.mov", "yuv422p10le", codec="prores_ks", picture=flat)
    output = write(tmp_path / "flat.mkv", "yuv420p", picture=flat)

    report = validate(reference, output, with_vmaf=False)

    assert failures(report) == {}
    for name in ("picture.depth", "picture.sharpness", "picture.orientation"):
        assert status(report, name) is CheckStatus.NOT_APPLICABLE


def test_an_untagged_copy_is_valid_for_files_and_runs_alike(tmp_path: Path) -> None:
    untagged = remake(source_clip(), tmp_path / "untagged.mp4", Remake(tags=Tags(2, 2, 2, None)))

    for report in (validate(untagged, untagged, with_vmaf=False), validate_run(untagged, untagged, with_vmaf=False)):
        assert failures(report) == {}
        assert status(report, "tags.present") is CheckStatus.NOT_APPLICABLE


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(60000, 1001)])
def test_times_in_milliseconds_of_a_short_clip_are_no_other_rate(rate: Fraction, tmp_path: Path) -> None:
    coarse = write(
        tmp_path / "coarse.mkv", "yuv420p", times=[Fraction(round(n / rate * 1000), 1000) for n in range(FRAMES)]
    )
    with av.open(str(coarse)) as source, av.open(str(tmp_path / "fine.mov"), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "4"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    found = failures(validate(coarse, tmp_path / "fine.mov", with_vmaf=False))

    assert {name for name in found if name.startswith(("time.", "frames."))} == set()


@pytest.mark.parametrize(
    ("late_ms", "longer", "wrong"),
    [({}, 0.0, False), ({9: 6}, 0.0, True), ({9: 6, 10: 6}, 0.0, True), ({19: 6}, 0.0, True), ({}, 0.005, False)],
)
def test_frames_of_avi_were_not_rounded_to_its_ticks(
    late_ms: dict[int, int], longer: float, wrong: bool, tmp_path: Path
) -> None:
    """Its tick is a frame: half of one, 17 ms here, was taken for its rounding. Another rate is for `time.rate`."""
    reference = write(tmp_path / "in.avi", "yuv420p")
    times = [Fraction(n, 30) * Fraction(1 + longer) + Fraction(late_ms.get(n, 0), 1000) for n in range(FRAMES)]
    output = write(tmp_path / "out.mkv", "yuv420p", times=times)

    found = failures(validate(reference, output, with_vmaf=False))

    assert ("time.stamps" in found) == wrong
    assert wrong or found == {}


@pytest.mark.parametrize("at", [1, 10, FRAMES - 1])
def test_times_of_a_reference_that_leap_are_no_measure(at: int, tmp_path: Path) -> None:
    """An export goes on without the leap, and was called wrong for it."""
    times = [Fraction(n, 30) + (10 * 3600 if n >= at else 0) for n in range(FRAMES)]
    reference = write(tmp_path / "in.mkv", "yuv420p", times=times)
    output = write(tmp_path / "out.mkv", "yuv420p", times=[Fraction(n, 30) for n in range(FRAMES)])

    report = validate(reference, output, with_vmaf=False)

    assert failures(report) == {}
    assert status(report, "time.stamps") is CheckStatus.NOT_APPLICABLE


def world(number: int) -> NDArray[np.uint8]:
    """A camera that passes along a wall of random tiles: no two frames are alike."""
    tiles = np.random.default_rng(5).integers(40, 210, (HEIGHT // 16, 200)).astype(np.uint8)
    return tiles.repeat(16, axis=0).repeat(16, axis=1)[:, 8 * number : 8 * number + WIDTH]


def write_along(target: Path, numbers: list[int]) -> Path:
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "23", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for place, number in enumerate(numbers):
            frame = as_frame(Planes(world(number), *np.full((2, HEIGHT // 2, WIDTH // 2), 128, np.uint8)))
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("missing", [5, 30, 100])
def test_frames_missing_in_the_middle_are_named_where_times_were_closed_up(missing: int, tmp_path: Path) -> None:
    """However far beyond the window of frames that are held the rest begins."""
    reference = write_along(tmp_path / "all.mp4", [*range(180)])
    output = write_along(tmp_path / "cut.mp4", [*range(40), *range(40 + missing, 180)])

    report = validate(reference, output, with_vmaf=False)

    check = next(check for check in report.failures if check.name == "frames.missing")
    assert check.value == missing
    assert check.frames[0] == 40
    assert not {"frames.order", "frames.repeated", "frames.last", "picture.same"} & failures(report).keys()


def test_frames_in_front_of_the_reference_are_added_ones(tmp_path: Path) -> None:
    """What an edit list cuts off was exported, and called repeated, out of order, and all that follows late."""
    reference = write_along(tmp_path / "in.mkv", list(range(9, 40)))
    output = write_along(tmp_path / "out.mkv", list(range(40)))

    found = failures(validate(reference, output, with_vmaf=False))

    assert found["frames.first"].startswith("added at the start: 9 frames")
    assert not {name for name in found if name.startswith(("frames.", "time."))} - {"frames.first", "time.duration"}


def test_a_beginning_that_is_shown_again_is_repeated(tmp_path: Path) -> None:
    reference = write_along(tmp_path / "in.mkv", list(range(30)))
    output = write_along(tmp_path / "out.mkv", [*range(6), *range(30)])

    found = failures(validate(reference, output, with_vmaf=False))

    assert "frames.repeated" in found
    assert "frames.first" not in found


def test_foreign_pictures_leave_what_follows_in_its_place(tmp_path: Path) -> None:
    reference = write_along(tmp_path / "all.mp4", [*range(100)])
    output = write_along(tmp_path / "foreign.mp4", [*range(40), *range(300, 306), *range(46, 100)])

    found = failures(validate(reference, output, with_vmaf=False))

    assert "6 frames are far worse than the rest" in found["picture.outliers"]
    assert not [name for name in found if name.startswith("frames.")]


def test_what_a_codec_leaves_open_may_lie_left_or_in_the_middle(tmp_path: Path) -> None:
    """MJPEG has its chroma in the middle; FFV1 has no field for it, and the same samples are the same picture."""
    reference = write(tmp_path / "centre.mkv", "yuvj420p", codec="mjpeg")
    with av.open(str(reference)) as source, av.open(str(tmp_path / "same.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 2, 5
        for frame in source.decode(video=0):
            plain = as_frame(planes_of(frame))
            plain.pts, plain.time_base = frame.pts, frame.time_base
            container.mux(stream.encode(plain))
        container.mux(stream.encode(None))

    assert failures(validate(reference, tmp_path / "same.mkv", with_vmaf=False)) == {}


@pytest.mark.parametrize(("held", "cut_short"), [(0, 0), (1, 0), (3, 0), (0, 2)])
def test_avi_counts_ticks_in_which_a_picture_is_held(held: int, cut_short: int, tmp_path: Path) -> None:
    """An empty chunk is counted by the header and decodes to nothing; a chunk that is missing at the end is a loss."""
    path = tmp_path / "held.avi"
    rows = np.random.default_rng(3).integers(0, 255, (40, 64), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for number in range(12):
            grey = np.vstack([np.roll(rows, 3 * number, 1), np.full((56, 64), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(grey, format="yuvj420p")
            frame.pts, frame.time_base = number + (held if number > 4 else 0), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if cut_short:
        data = bytearray(path.read_bytes())
        at = data.index(b"avih") + 8 + 16
        claimed = int.from_bytes(data[at : at + 4], "little")
        for place in (at, data.index(b"strh") + 8 + 32):
            data[place : place + 4] = (claimed + cut_short).to_bytes(4, "little")
        path.write_bytes(data)

    checks = {check.name: check for check in validate(path, path, with_vmaf=False).checks}

    wanted = CheckStatus.FAIL if cut_short else CheckStatus.PASS
    assert checks["file.frame_count"].status is wanted


def test_mp4_states_how_long_a_sample_lasts_in_order_of_decoding(tmp_path: Path) -> None:
    """Of uneven frames that are reordered the last one shown had the length of another: exports were 0.07 s short."""
    rows = np.random.default_rng(8).integers(16, 235, (64, 96), np.uint8)
    ticks = [*range(12), *range(14, 33, 3)]
    paths = []
    for name, b_frames in (("reordered.mp4", "3"), ("in-order.mkv", "0")):
        paths.append(tmp_path / name)
        with av.open(str(paths[-1]), "w") as container:
            options = {"bf": b_frames, "x264-params": "b-adapt=0:rc-lookahead=8:scenecut=0", "crf": "16"}
            stream = container.add_stream("libx264", rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.time_base = Fraction(1, 90000)
            for tick in ticks:
                grey = np.vstack([np.roll(rows, 2 * tick, 1), np.full((32, 96), 128, np.uint8)])
                frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
                frame.pts, frame.time_base = 3000 * tick, Fraction(1, 90000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    duration = next(check for check in validate(*paths, with_vmaf=False).checks if check.name == "time.duration")

    assert duration.status is CheckStatus.PASS, duration.message
