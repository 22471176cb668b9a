"""Files of more than 8 bits, and of more chroma than 4:2:0, are compared as they are: NumPy says what is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.expectation import Expectation
from capbench.quality.validate import validate
from capbench.results import CheckStatus, ValidationReport

WIDTH, HEIGHT, FRAMES = 384, 288, 3
Codes = NDArray[np.float64]


def smooth(number: int, bits: int) -> list[Codes]:
    """Y, Cb, Cr at each pixel: gradients that need every bit, with soft shapes that move."""
    peak = (1 << bits) - 1
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    wave = np.sin(x / 17 + number) * np.cos(y / 13)
    luma = 0.35 + 0.3 * x / WIDTH + 0.12 * wave + 0.05 * y / HEIGHT
    blue, red = 0.5 + 0.2 * np.sin(x / 23 + y / 31), 0.5 + 0.2 * np.cos(x / 29 - y / 19)
    return [np.floor(part * peak + 0.5) for part in (luma, blue, red)]


def write(
    target: Path,
    form: str,
    codec: str,
    options: dict[str, str] | None = None,
    picture: Callable[[int, int], list[Codes]] = smooth,
) -> Path:
    """A file of `FRAMES` pictures in a planar format, chroma averaged over the pixels of a sample."""
    with av.open(str(target), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, form
        for number in range(FRAMES):
            frame = av.VideoFrame(WIDTH, HEIGHT, form)
            bits = frame.format.components[0].bits
            for plane, codes in zip(frame.planes, picture(number, bits), strict=False):  # grey has no chroma
                down, across = HEIGHT // plane.height, WIDTH // plane.width
                means = codes.reshape(plane.height, down, plane.width, across).mean(axis=(1, 3))
                kind = np.uint8 if bits == 8 else np.dtype("<u2")
                padded = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
                padded[:, : plane.width] = np.floor(means + 0.5)
                plane.update(padded.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def decoded(path: Path) -> list[list[Codes]]:
    """Planes of every picture as codes, by another way than validation's."""
    with av.open(str(path)) as container:
        pictures = []
        for frame in container.decode(video=0):
            kind = np.dtype("<u2") if frame.format.components[0].bits > 8 else np.dtype(np.uint8)
            pictures.append(
                [
                    np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width].astype(np.float64)
                    for plane in frame.planes
                ]
            )
    return pictures


def psnr_db(got: list[list[Codes]], want: list[list[Codes]], peak: int, plane: int) -> float:
    """Mean over frames, by the definition."""
    errors = [np.mean((a[plane] - b[plane]) ** 2) for a, b in zip(got, want, strict=True)]
    return float(np.mean([10 * np.log10(peak**2 / error) for error in errors]))


def mean_of(report: ValidationReport, metric: str) -> float:
    mean = report.metrics[metric].mean
    assert mean is not None
    return mean


def test_an_8_bit_encode_of_a_10_bit_source_loses_its_ten_decibels(tmp_path: Path) -> None:
    """As the same source encoded in 10 bits shows, by NumPy on what another decoding of the files gives."""
    reference = write(tmp_path / "source.mkv", "yuv420p10le", "ffv1")
    ten = write(tmp_path / "ten.mp4", "yuv420p10le", "libx264", {"qp": "4", "preset": "veryfast"})
    eight = write(tmp_path / "eight.mp4", "yuv420p", "libx264", {"qp": "1", "preset": "veryfast"})
    want = decoded(reference)

    of_ten, of_eight = (validate(reference, output, with_vmaf=False) for output in (ten, eight))

    for number, plane in enumerate(("y", "cb", "cr")):
        raised = [[4 * codes for codes in picture] for picture in decoded(eight)]
        assert mean_of(of_ten, f"psnr_{plane}") == pytest.approx(psnr_db(decoded(ten), want, 1023, number), abs=0.1)
        assert mean_of(of_eight, f"psnr_{plane}") == pytest.approx(psnr_db(raised, want, 1023, number), abs=0.1)
        for report in (of_ten, of_eight):
            assert mean_of(report, f"ffmpeg_psnr_{plane}") == pytest.approx(mean_of(report, f"psnr_{plane}"), abs=0.01)
    assert mean_of(of_ten, "psnr_y") - mean_of(of_eight, "psnr_y") > 8
    assert of_ten.how_measured["psnr_y"] == "10 bits, 4:2:0"
    assert "picture.depth" not in {check.name for check in of_ten.failures}
    assert "2 bits lost" in next(check.message for check in of_eight.failures if check.name == "picture.depth")


@pytest.mark.parametrize("form", ["yuv422p", "yuv444p", "yuv422p10le", "yuv444p10le", "yuv444p12le", "yuv420p16le"])
def test_chroma_and_depth_are_compared_as_they_are(tmp_path: Path, form: str) -> None:
    """An error that 8-bit 4:2:0 would average away or round off counts in full."""
    bits = av.VideoFormat(form, 16, 16).components[0].bits

    def spoiled(number: int, bits: int) -> list[Codes]:
        planes = smooth(number, bits)
        for plane in planes:
            plane[:, ::2] += 1
            plane[:, 1::2] -= 1
        return planes

    reference = write(tmp_path / "right.mkv", form, "ffv1")
    output = write(tmp_path / "off.mkv", form, "ffv1", picture=spoiled)

    report = validate(reference, output, with_vmaf=False)

    got, want = decoded(output), decoded(reference)
    assert mean_of(report, "psnr_y") == pytest.approx(psnr_db(got, want, (1 << bits) - 1, 0), abs=0.01)
    if "420" not in form and "422" not in form:  # of which chroma is the mean of two columns: nothing is left of it
        assert mean_of(report, "psnr_cb") == pytest.approx(psnr_db(got, want, (1 << bits) - 1, 1), abs=0.01)
    assert mean_of(report, "ffmpeg_psnr_y") == pytest.approx(mean_of(report, "psnr_y"), abs=0.01)
    assert report.how_measured["ssim_y"].startswith(f"{bits} bits")


def test_a_copy_at_any_depth_is_equal(tmp_path: Path) -> None:
    for form in ("yuv420p10le", "yuv444p", "gbrp10le", "gray10le", "yuv440p", "yuv422p12le"):
        reference = write(tmp_path / f"{form}.mkv", form, "ffv1")

        report = validate(reference, reference, with_vmaf=False)

        assert mean_of(report, "psnr_y") == 100, form
        assert report.passed, (form, report.failures)


@pytest.mark.parametrize(("first", "second"), [("yuv444p10le", "yuv420p10le"), ("yuv422p", "yuv444p12le")])
def test_chroma_that_one_file_does_not_have_is_compared_where_both_have_it(
    tmp_path: Path, first: str, second: str
) -> None:
    options = {"chroma_sample_location": "center"}
    reference = write(tmp_path / "first.mkv", first, "ffv1", options)
    output = write(tmp_path / "second.mkv", second, "ffv1", options)

    report = validate(reference, output, with_vmaf=False)

    assert mean_of(report, "psnr_y") > 50
    assert mean_of(report, "psnr_cb") > 45
    assert ("4:2:0" if "420" in second else "4:2:2") in report.how_measured["psnr_cb"]


def test_bits_that_an_output_adds_are_named_and_no_fault(tmp_path: Path) -> None:
    reference = write(tmp_path / "eight.mkv", "yuv420p", "ffv1")
    output = write(
        tmp_path / "ten.mkv",
        "yuv420p10le",
        "ffv1",
        picture=lambda number, _: [4 * codes for codes in smooth(number, 8)],
    )

    report = validate(reference, output, with_vmaf=False)

    check = next(check for check in report.checks if check.name == "picture.depth")
    assert check.status is CheckStatus.PASS
    assert "2 bits invented" in check.message
    assert mean_of(report, "psnr_y") == 100
    assert report.passed, report.failures


def test_bits_that_are_stated_and_not_there_are_lost(tmp_path: Path) -> None:
    """12 bits in, 10 expected, 10 stated, and luma of 8 in them."""

    def coarse(number: int, _: int) -> list[Codes]:
        return [np.floor(codes / 16) * 4 for codes in smooth(number, 12)]

    reference = write(tmp_path / "twelve.mkv", "yuv420p12le", "ffv1")
    output = write(tmp_path / "ten.mkv", "yuv420p10le", "ffv1", picture=coarse)

    report = validate(reference, output, expected=Expectation(bits=10), with_vmaf=False)

    message = next(check.message for check in report.failures if check.name == "picture.depth")
    assert "2 bits lost" in message
