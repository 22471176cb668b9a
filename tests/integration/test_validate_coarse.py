"""`validate` on encodings that are coarse and right, and on faults that coarse coding must not excuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, floor_export
from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.validate import validate
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import CheckStatus, ValidationReport

_WIDTH, _HEIGHT, _FRAMES = 192, 144, 20
_FINE, _COARSE = 2, 44

Luma = NDArray[np.uint8]


def _write(target: Path, picture: Callable[[int], Luma], crf: int) -> Path:
    with av.open(str(target), "w") as container:
        options = {"crf": str(crf), "preset": "ultrafast", "threads": "1"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number in range(_FRAMES):
            grey = np.full((2, _HEIGHT // 2, _WIDTH // 2), 128, np.uint8)
            frame = as_frame(Planes(picture(number), *grey))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def _texture(number: int = 0) -> NDArray[np.float64]:
    """Foliage, `number` pixels farther to the right."""
    random = np.random.default_rng(5)
    fine = random.uniform(60, 180, (_HEIGHT // 4, _WIDTH // 4)).repeat(4, axis=0).repeat(4, axis=1)
    return np.roll(fine, number, axis=1)


def _grainy(number: int) -> Luma:
    """The same foliage in each frame, under grain that is coarse enough to move the means of blocks."""
    grain = np.random.default_rng(number).normal(0, 3, (_HEIGHT // 4, _WIDTH // 4)).repeat(4, axis=0).repeat(4, axis=1)
    luma: Luma = (_texture() + grain).clip(0, 255).astype(np.uint8)
    return luma


def _brightening(number: int) -> Luma:
    luma: Luma = (_texture() + 0.7 * number).astype(np.uint8)
    return luma


def _check(report: ValidationReport, name: str) -> CheckStatus:
    return next(check.status for check in report.checks if check.name == name)


def test_grain_that_coarse_coding_left_out_is_no_freeze(tmp_path: Path) -> None:
    """29 of 30 frames of an interior at CRF 38 were called frozen: only its grain moves."""
    fine = _write(tmp_path / "fine.mp4", _grainy, _FINE)

    report = validate(fine, _write(tmp_path / "coarse.mp4", _grainy, _COARSE), with_vmaf=False)

    assert _check(report, "frames.frozen") in (CheckStatus.PASS, CheckStatus.NOT_APPLICABLE)


@pytest.mark.parametrize("crf", [_FINE, 20, _COARSE])
def test_a_picture_that_stands_still_is_frozen_however_coarse(crf: int, tmp_path: Path) -> None:
    fine = _write(tmp_path / "fine.mp4", _brightening, _FINE)

    report = validate(fine, _write(tmp_path / "frozen.mp4", lambda _: _brightening(0), crf), with_vmaf=False)

    named = {check.name for check in report.failures}
    assert named & {"frames.frozen", "frames.repeated"}, named


@pytest.mark.parametrize("quality_crf", [_FINE, _COARSE])
def test_a_black_border_is_wrong_however_coarse(quality_crf: int, tmp_path: Path) -> None:
    def bordered(number: int) -> Luma:
        luma = _grainy(number)
        luma[-2:] = 16
        return luma

    fine = _write(tmp_path / "fine.mp4", _grainy, _FINE)

    report = validate(fine, _write(tmp_path / "bordered.mp4", bordered, quality_crf), with_vmaf=False)

    assert _check(report, "picture.edges") is CheckStatus.FAIL


def _at_bits_per_pixel(bits: float, width: int, height: int) -> EncoderSettings:
    """Fewer than any quality gives a picture of that size."""
    return EncoderSettings(bitrate_bits_per_s=round(width * height * bits * 30))


@pytest.mark.parametrize(("width", "height"), [(320, 180), (256, 144)])
def test_a_small_screen_at_a_low_bit_rate_is_right(width: int, height: int, tmp_path: Path) -> None:
    """The title of a window that moves is off by 29 codes for one frame, and patches are smaller than a transform."""
    small = make_recording(RecordingSpec("coarse-blocks", width, height, 30, 0.5))
    floor_export(small, tmp_path / "floor.mp4", ExportOptions(encoder=_at_bits_per_pixel(0.15, width, height)))

    report = validate(small, tmp_path / "floor.mp4", with_vmaf=False)

    assert [check.name for check in report.failures] == []
    assert next(check.value or 0 for check in report.checks if check.name == "picture.local") > 24


@pytest.mark.parametrize(
    ("width", "height", "preset"),
    [(160, 90, "veryfast"), (192, 108, "veryfast"), (256, 144, "ultrafast"), (480, 270, "ultrafast")],
)
def test_a_small_screen_at_the_lowest_bit_rate_is_right(width: int, height: int, preset: str, tmp_path: Path) -> None:
    """Numbers of 3x3 pixels, 19 to 29 dB, 22% of the finest detail, flat colours off by a code: all of it coding."""
    small = make_recording(RecordingSpec("coarse-small", width, height, 30, 1.0))
    low = replace(_at_bits_per_pixel(0.04, width, height), preset=preset)
    floor_export(small, tmp_path / "low.mp4", ExportOptions(encoder=low))

    report = validate(small, tmp_path / "low.mp4", with_vmaf=False)

    assert [f"{check.name}: {check.message}" for check in report.failures] == []


def _recoded(source: Path, target: Path, change: Callable[[int, av.VideoFrame], av.VideoFrame | None]) -> Path:
    """The picture of `source` encoded coarsely; frames that `change` answers None for are left out."""
    with av.open(str(source)) as container, av.open(str(target), "w") as written:
        old = container.streams.video[0]
        options = {"crf": "36", "preset": "ultrafast", "threads": "1"}
        stream = written.add_stream("libx264", rate=old.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = old.width, old.height, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        for number, frame in enumerate(container.decode(old)):
            if (changed := change(number, frame)) is not None:
                changed.pts, changed.time_base = frame.pts, frame.time_base
                written.mux(stream.encode(changed))
        written.mux(stream.encode(None))
    return target


def _luma_changed(frame: av.VideoFrame, change: Callable[[Luma], NDArray[np.float64]]) -> av.VideoFrame:
    planes = planes_of(frame)
    luma: Luma = change(planes.luma).round().clip(16, 235).astype(np.uint8)
    return as_frame(Planes(luma, planes.cb.copy(), planes.cr.copy()))


@pytest.mark.parametrize(("width", "height"), [(160, 90), (320, 180)])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda n, frame: None if n in (9, 10) else frame, {"frames.missing"}),
        (
            lambda _, frame: _luma_changed(frame, lambda luma: gaussian_filter(luma.astype(np.float64), 1.6)),
            {"picture.sharpness"},
        ),
        (
            lambda _, frame: _luma_changed(frame, lambda luma: np.roll(luma, 4, axis=1).astype(np.float64)),
            {"picture.quality", "picture.place", "picture.local", "picture.edges"},
        ),
        (
            lambda n, frame: _luma_changed(
                frame, lambda luma: luma + np.random.default_rng(n).normal(0, 60, luma.shape)
            ),
            {"picture.quality"},
        ),
    ],
    ids=["lost", "blurred", "elsewhere", "noise"],
)
def test_a_fault_in_a_small_coarse_screen_is_named(
    width: int,
    height: int,
    change: Callable[[int, av.VideoFrame], av.VideoFrame | None],
    named: set[str],
    tmp_path: Path,
) -> None:
    small = make_recording(RecordingSpec("coarse-small", width, height, 30, 1.0))

    report = validate(small, _recoded(small, tmp_path / "wrong.mp4", change), with_vmaf=False)

    assert {check.name for check in report.failures} & named
