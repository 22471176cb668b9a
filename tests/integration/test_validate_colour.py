"""`validate` on colours that are tagged wrongly, and on chroma whose place is stated, open, or hard to see."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from capbench.pipeline.scene import Scene
from capbench.quality.checks.pictures.picture_checks import check_pictures
from capbench.quality.checks.siting_check import check_siting
from capbench.quality.expectation import Expectation
from capbench.quality.inspection import inspect_files
from capbench.quality.measurements import Measurements, PictureMeasurements, SampledPair
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.validate import validate, validate_run
from capbench.results import CheckStatus, ValidationReport

WIDTH, HEIGHT, FRAMES = 192, 128, 5
Pictures = list[Planes]


def failures(report: ValidationReport) -> dict[str, str]:
    return {check.name: check.message for check in report.failures}


def colourful(seed: int = 1) -> Pictures:
    """Flat blocks of strong colours, which move, over a soft pattern of every colour."""
    random = np.random.default_rng(seed)
    soft = [gaussian_filter(random.normal(0, 1, (HEIGHT // step, WIDTH // step)), 9 / step) for step in (1, 2, 2)]
    base = [128 + 30 * plane / plane.std() for plane in soft]
    colours = random.uniform((40, 50, 50), (220, 206, 206), (8, 3))
    pictures = []
    for number in range(FRAMES):
        planes = [plane.copy() for plane in base]
        for index, colour in enumerate(colours):
            left, top = (index % 4) * 48 + 2 * number, (index // 4) * 64 + 16
            for plane, code, step in zip(planes, colour, (1, 2, 2), strict=True):
                plane[top // step : (top + 40) // step, left // step : (left + 32) // step] = code
        pictures.append(Planes(*(plane.round().clip(16, 235).astype(np.uint8) for plane in planes)))
    return pictures


def write(
    path: Path,
    pictures: Pictures,
    codec: str = "libx264",
    *,
    matrix: int = 1,
    full: bool = False,
    bits: int = 8,
    aspect: int = 1,
) -> Path:
    options = {
        "libx264": {"qp": "4", "preset": "ultrafast", "chroma_sample_location": "left"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "4", "b": "0"},
        "libvpx": {"deadline": "realtime", "crf": "4", "b": "9M", "qmax": "6"},
    }.get(codec, {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuv420p" if bits == 8 else f"yuv420p{bits}le"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(aspect)
        context.color_primaries = context.color_trc = 1
        context.colorspace, context.color_range = matrix, 2 if full else 1
        for number, planes in enumerate(pictures):
            frame = as_frame(planes)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("matrix", "full", "failed"), [(1, True, []), (6, False, []), (9, False, ["colour.meaning"])])
def test_a_reference_that_contradicts_itself_may_be_read_by_either_place(
    tmp_path: Path, matrix: int, full: bool, failed: list[str]
) -> None:
    """VP8's header knows no colours but BT.601's and no range: WebM's Colour element may say otherwise."""
    pictures = colourful()
    reference = write(tmp_path / "reference.webm", pictures, "libvpx", matrix=1, full=True)
    output = write(tmp_path / "output.mp4", pictures, matrix=matrix, full=full)

    report = validate(reference, output, with_vmaf=False)

    assert list(failures(report)) == failed
    meaning = next(check for check in report.checks if check.name == "colour.meaning")
    assert ("by its container" in meaning.message) == (matrix == 1)


def test_saved_frames_of_a_scene_are_those_of_the_reading_that_counts(tmp_path: Path) -> None:
    """They stayed those of the first reading."""
    pictures = [Planes(*(64 + plane // 2 for plane in picture.all)) for picture in colourful()]  # R'G'B' can show it
    reference = write(tmp_path / "reference.webm", pictures, "libvpx", matrix=1, full=True)
    output = write(tmp_path / "output.mp4", pictures, matrix=1, full=True)
    scene = Scene.model_validate({"caption": [{"text": "after the end", "start_s": 50.0, "end_s": 51.0}]})

    report = validate_run(reference, output, scene=scene, save_frames=tmp_path / "saved", with_vmaf=False)

    assert list(failures(report)) == []
    assert report.saved_frames
    for saved in report.saved_frames:
        wanted, found = (
            np.asarray(Image.open(tmp_path / "saved" / name)).astype(np.int16)
            for name in (saved.reference_png, saved.output_png)
        )
        assert np.abs(wanted - found).mean() < 3  # 5 by the other reading


TAGS = [(1, True), (6, False), (6, True), (9, False)]


@pytest.mark.parametrize(("matrix", "full"), TAGS)
def test_a_wrong_tag_is_one_fault(tmp_path: Path, matrix: int, full: bool) -> None:
    """It was `picture.quality` and `picture.local` as well: damaged, and wrong in part."""
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures)
    output = write(tmp_path / "output.mp4", pictures, matrix=matrix, full=full)

    report = validate(reference, output, with_vmaf=False)

    assert list(failures(report)) == ["colour.meaning"]
    shown_db = report.metrics["psnr_y"].mean  # as the tags say that it is shown
    assert shown_db is not None
    assert shown_db < 38


def test_pictures_are_compared_with_a_wrong_matrix_undone(tmp_path: Path) -> None:
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures)
    output = write(tmp_path / "output.mp4", pictures, matrix=6, full=False)

    as_tagged = check_pictures(inspect_files(reference, output, Expectation()).evidence)
    checks = {check.name: check for check in validate(reference, output, with_vmaf=False).checks}

    assert any(check.status is CheckStatus.FAIL for check in as_tagged)
    assert all(checks[check.name].status is not CheckStatus.FAIL for check in as_tagged)
    assert checks["picture.quality"].value is not None
    assert checks["picture.quality"].value > 40


@pytest.mark.parametrize(("matrix", "full"), TAGS[1:2])
def test_damage_beside_a_wrong_tag_is_a_fault_of_its_own(tmp_path: Path, matrix: int, full: bool) -> None:
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures)
    pictures[2].luma[40:72, 60:92] //= 2
    output = write(tmp_path / "output.mp4", pictures, matrix=matrix, full=full)

    report = validate(reference, output, with_vmaf=False)

    assert {"colour.meaning", "picture.local"} <= set(failures(report))
    assert next(check for check in report.failures if check.name == "picture.local").frames == (2,)


def centred(pictures: Pictures) -> Pictures:
    """Chroma where centred siting has it: half a pixel further right, so that what it shows looks moved left."""

    def moved(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        codes: NDArray[np.uint8] = (
            shift(plane.astype(np.float64), (0, -0.25), order=1, mode="nearest").round().astype(np.uint8)
        )
        return codes

    return [Planes(planes.luma, moved(planes.cb), moved(planes.cr)) for planes in pictures]


@pytest.mark.parametrize(
    ("codec", "bits", "is_centred", "failed"),
    [
        ("libx264", 8, False, None),
        ("libx264", 10, False, None),
        ("libvpx-vp9", 8, False, None),
        ("libvpx-vp9", 8, True, None),
        ("libx264", 8, True, "chroma sited centre, tagged left (0.5 px)"),
        ("libx264", 10, True, "chroma sited centre, tagged left (0.5 px)"),
    ],
)
def test_chroma_of_wide_pixels_lies_where_their_file_says(
    tmp_path: Path, codec: str, bits: int, is_centred: bool, failed: str | None
) -> None:
    """Chroma of which a frame says nothing is centred to swscale: the same samples were 0.58 px apart."""
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures, aspect=2)
    output = write(tmp_path / "output.mp4", centred(pictures) if is_centred else pictures, codec, bits=bits, aspect=2)

    found = failures(validate(reference, output, with_vmaf=False)).get("colour.siting")

    assert found is None if failed is None else found is not None and found.startswith(failed)


def stated(path: Path, across: int) -> Path:
    """The same file, which says where chroma lies: 1 on the left, 2 between two columns, 0 nothing."""
    content = path.read_bytes()
    for old, new in ((b"\x55\xbb\x81", b"\x55\xb7\x81" + bytes([across])), (b"\x55\xba\x81", b"\x55\xb8\x81\x02")):
        place = content.index(old)  # primaries and transfer: PyAV cannot state a siting, and they are as long
        content = content[:place] + new + content[place + 4 :]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("across", "failed"), [(0, {}), (1, {}), (2, {"colour.siting": "chroma sited left, tagged centre (0.5 px)"})]
)
def test_a_place_that_only_matroska_states_is_a_promise(tmp_path: Path, across: int, failed: dict[str, str]) -> None:
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures)
    output = stated(write(tmp_path / "output.mkv", pictures, "ffv1"), across)

    found = failures(validate(reference, output, with_vmaf=False))

    assert {name: message.partition(":")[0] for name, message in found.items()} == failed


def test_matroska_and_bitstream_may_not_contradict_each_other(tmp_path: Path) -> None:
    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures)
    output = write(tmp_path / "output.mkv", pictures)
    content = output.read_bytes()
    place = content.index(b"\x55\xb1\x81\x01") + 3  # MatrixCoefficients

    assert failures(validate(reference, output, with_vmaf=False)) == {}
    output.write_bytes(content[:place] + b"\x06" + content[place + 1 :])
    assert list(failures(validate(reference, output, with_vmaf=False))) == ["tags.agree"]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Measurements:
    folder = tmp_path_factory.mktemp("evidence")
    reference, output = (write(folder / f"{name}.mp4", colourful()) for name in ("reference", "output"))
    return inspect_files(reference, output, Expectation()).evidence


def placed(
    evidence: Measurements,
    right: float,
    error: float,
    *,
    down: float = 0.0,
    luma: tuple[float, float] = (0.0, 0.01),
    scatter: float = 0.0,
    apart: tuple[float, float] | None = None,
    shown: int = FRAMES,
    placing: int = FRAMES,
) -> tuple[CheckStatus, float | None]:
    """Verdict on chroma that lies so far right, by so much further in each picture, and on luma with its error.

    `apart` is how far Cr lies beside Cb, as the first pictures show, and its error. The first `placing`
    pictures show where chroma lies at all.
    """
    pictures = evidence.pictures
    assert pictures is not None
    pairs: list[SampledPair] = [
        replace(
            pair,
            chroma_shift_px=(right + scatter * (number - FRAMES // 2), down) if number < placing else None,
            chroma_shift_error_px=(error, error) if number < placing else None,
            luma_shift_px=(luma[0], 0.0),
            luma_shift_error_px=(luma[1], luma[1]),
            planes_apart_px=(apart[0], 0.0) if apart and number < shown else None,
            planes_apart_error_px=(apart[1], apart[1]) if apart and number < shown else None,
        )
        for number, pair in enumerate(pictures.sampled)
    ]
    check = check_siting(evidence, PictureMeasurements(series=pictures.series, sampled=pairs))
    return check.status, check.value


@pytest.mark.parametrize(
    ("right", "error", "status"),
    [
        (0.1, 0.02, CheckStatus.PASS),
        (0.46, 0.02, CheckStatus.FAIL),
        (0.4, 0.08, CheckStatus.FAIL),
        (0.3, 0.08, CheckStatus.NOT_APPLICABLE),  # half way between two sitings, as far as it is known
        (0.3, 0.1, CheckStatus.NOT_APPLICABLE),
        (0.0, 0.1, CheckStatus.NOT_APPLICABLE),  # nor is it known to be right
        (2.0, 0.2, CheckStatus.FAIL),  # moved by a sample, however badly its place is known
    ],
)
def test_siting_is_judged_as_far_as_it_is_known(
    evidence: Measurements, right: float, error: float, status: CheckStatus
) -> None:
    assert placed(evidence, right, error)[0] is status


def test_half_a_pixel_down_is_no_fault_and_a_row_is(evidence: Measurements) -> None:
    """What converts by way of 4:2:2 with two taps makes 0.62 of 0.5 where colours are fine."""
    assert placed(evidence, 0, 0.01, down=0.62)[0] is CheckStatus.PASS
    assert placed(evidence, 0, 0.01, down=1.0)[0] is CheckStatus.FAIL


@pytest.mark.parametrize(("down", "is_fault"), [(0.8, False), (1.0, True)])
def test_what_coding_leaves_behind_is_no_row(evidence: Measurements, down: float, *, is_fault: bool) -> None:
    """Half a pixel by way of 4:2:2, and 0.4 of falling snow that coarse coding left behind, were 0.8, known to 0.23."""
    assert (placed(evidence, 0, 0.077, down=down)[0] is CheckStatus.FAIL) is is_fault


def test_only_a_shift_of_luma_that_is_sure_is_taken_off(evidence: Measurements) -> None:
    for right, luma in ((0.5, (0.5, 0.02)), (0.0, (0.4, 0.2))):
        status, value = placed(evidence, right, 0.02, luma=luma)
        assert status is CheckStatus.PASS
        assert value == pytest.approx(0)


def test_pictures_that_disagree_do_not_know(evidence: Measurements) -> None:
    assert placed(evidence, 0.3, 0.02, scatter=0.25)[0] is CheckStatus.NOT_APPLICABLE


@pytest.mark.parametrize(("placing", "status"), [(3, CheckStatus.FAIL), (1, CheckStatus.NOT_APPLICABLE)])
def test_one_picture_of_many_does_not_tell_where_chroma_lies(
    evidence: Measurements, placing: int, status: CheckStatus
) -> None:
    """The steepest of eleven soft pictures that flash was off by 0.45 px, known to 0.2; Cr was nowhere near Cb."""
    assert placed(evidence, -0.5, 0.02, placing=placing)[0] is status


@pytest.mark.parametrize(
    ("apart", "shown", "status"),
    [
        ((2.0, 0.1), FRAMES, CheckStatus.FAIL),
        ((2.0, 0.1), 3, CheckStatus.FAIL),
        ((2.0, 0.1), 2, CheckStatus.PASS),  # what one or two pictures show may be their coding
        ((0.4, 0.02), FRAMES, CheckStatus.PASS),
        ((2.0, 0.6), FRAMES, CheckStatus.PASS),  # too faint to tell
    ],
)
def test_planes_that_lie_apart_are_no_siting_however_right_their_mean_is(
    evidence: Measurements, apart: tuple[float, float], shown: int, status: CheckStatus
) -> None:
    assert placed(evidence, 0.0, 0.02, apart=apart, shown=shown)[0] is status


def test_a_faint_plane_that_was_moved_is_seen_beside_a_strong_one(tmp_path: Path) -> None:
    """Weighted by what is known of each, the mean of both planes lay where it should."""
    pictures = colourful()
    faint = [Planes(p.luma, p.cb, (128 + (p.cr.astype(np.int16) - 128) // 8).astype(np.uint8)) for p in pictures]
    moved = [Planes(p.luma, p.cb, np.roll(p.cr, 1, axis=1)) for p in faint]
    reference = write(tmp_path / "reference.mp4", faint)

    right = validate(reference, write(tmp_path / "right.mp4", faint), with_vmaf=False)
    wrong = validate(reference, write(tmp_path / "wrong.mp4", moved), with_vmaf=False)

    assert failures(right) == {}
    assert list(failures(wrong)) == ["colour.siting"]


@pytest.mark.parametrize(
    ("code", "wanted", "full", "is_black"),
    [
        (16, None, False, True),
        (16, None, True, True),  # drawn for limited range, in a file that says full
        (40, None, True, False),
        (21, 23, False, False),  # a fade, whose darkest picture was rounded
    ],
)
def test_an_empty_picture_is_black_whatever_the_range(
    tmp_path: Path, code: int, wanted: int | None, *, full: bool, is_black: bool
) -> None:
    """`wanted` is the code of the reference's own empty picture; None where it shows something."""

    def with_empty(code: int) -> Pictures:
        shape = (HEIGHT, WIDTH)
        empty = [np.full((shape[0] // n, shape[1] // n), 128 if n > 1 else code, np.uint8) for n in (1, 2, 2)]
        return [*pictures[:2], Planes(*empty), *pictures[3:]]

    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures if wanted is None else with_empty(wanted), full=full)
    report = validate(reference, write(tmp_path / "output.mp4", with_empty(code), full=full), with_vmaf=False)

    assert ("frames.black" in failures(report)) is is_black


@pytest.mark.parametrize(
    ("codes", "wanted", "is_green"),
    [
        ((0, 0, 0), None, True),
        ((99, 82, 74), None, True),  # R'G'B' (0, 136, 0), which zero codes clip to
        ((99, 82, 74), (99, 82, 74), False),  # as the reference has it
        ((120, 60, 110), None, False),  # a green page with some red in it
    ],
)
def test_zero_codes_are_green_after_they_were_clipped_too(
    tmp_path: Path, codes: tuple[int, int, int], wanted: tuple[int, int, int] | None, *, is_green: bool
) -> None:
    """An exporter by way of R'G'B' cannot keep what is greener than green."""

    def with_flat(codes: tuple[int, int, int]) -> Pictures:
        sizes = [(HEIGHT // step, WIDTH // step) for step in (1, 2, 2)]
        flat = Planes(*(np.full(size, code, np.uint8) for size, code in zip(sizes, codes, strict=True)))
        return [*pictures[:2], flat, *pictures[3:]]

    pictures = colourful()
    reference = write(tmp_path / "reference.mp4", pictures if wanted is None else with_flat(wanted))
    report = validate(reference, write(tmp_path / "output.mp4", with_flat(codes)), with_vmaf=False)

    assert ("frames.green" in failures(report)) is is_green


def grey_ramp(number: int) -> NDArray[np.float64]:
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(40 + 0.6 * across + 0.4 * down + number, np.float64)


def test_soft_colour_gradients_do_not_tell_where_chroma_lies(tmp_path: Path) -> None:
    """Their rounded stairs looked like edges: a third of a code more blue moved them by samples."""
    down, across = np.mgrid[: HEIGHT // 2, : WIDTH // 2]
    soft = [110 + 0.08 * across + 0.11 * down, 140 - 0.09 * across + 0.06 * down]
    files = []
    for name, more in (("reference", 0.0), ("output", 0.3)):
        pictures = [
            Planes(*(plane.round().astype(np.uint8) for plane in (grey_ramp(n), soft[0] + more, soft[1])))
            for n in range(FRAMES)
        ]
        files.append(write(tmp_path / f"{name}.mp4", pictures))

    report = validate(files[0], files[1], with_vmaf=False)

    siting = next(check for check in report.checks if check.name == "colour.siting")
    assert siting.status is CheckStatus.NOT_APPLICABLE


def _grains(path: Path, size: tuple[int, int], aspect: Fraction, step: int = 1) -> Path:
    """Twelve lossless grey pictures in which neighbours are far apart, in steps of so many codes."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.color_range = 1
        for number in range(12):
            random = np.random.default_rng(number)
            luma = (random.beta(2, 2, (height, width)) * 200 + 24).astype(np.uint8)
            grey = np.full((height // 2, width // 2), 128, np.uint8)
            frame = as_frame(Planes(luma // step * step + step // 2, grey, grey))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("size", "aspect"), [((32, 32), Fraction(1)), ((96, 96), Fraction(16, 11))])
@pytest.mark.parametrize("step", [1, 32])
def test_levels_are_counted_in_small_pictures_and_as_they_were_coded(
    size: tuple[int, int], aspect: Fraction, step: int, tmp_path: Path
) -> None:
    """A quarter of 32 rows has too few samples of a level; pixels that are made square mix levels of neighbours."""
    reference = _grains(tmp_path / "reference.mkv", size, aspect)

    report = validate(reference, _grains(tmp_path / "output.mkv", size, aspect, step), with_vmaf=False)

    levels = next(check for check in report.checks if check.name == "colour.levels")
    assert levels.value == step
