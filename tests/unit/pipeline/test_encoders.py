"""Which encoder is taken, and what a quality means to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from capbench.errors import EncoderError, InputError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.encode import encoders
from capbench.pipeline.encode.encoders import (
    EncoderSettings,
    choose_encoder,
    codec_options,
    encoder_order,
    probe_encoder,
)


@pytest.mark.parametrize(
    ("platform", "makers"),
    [("darwin", ["videotoolbox"]), ("win32", ["nvenc", "qsv", "amf"]), ("linux", ["nvenc", "qsv"]), ("freebsd", [])],
)
def test_order_of_each_platform_is_hardware_then_software(platform: str, makers: list[str]) -> None:
    assert encoder_order("h264", platform) == [*(f"h264_{maker}" for maker in makers), "libx264"]
    assert encoder_order("hevc", platform) == [*(f"hevc_{maker}" for maker in makers), "libx265"]


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the encoders that work, to be filled; what was probed is forgotten before and after."""
    names: set[str] = set()

    def probe(name: str) -> None:
        if name not in names:
            raise EncoderError(f"{name} does not work")

    monkeypatch.setattr(encoders, "probe_encoder", probe)
    encoders._why_not.cache_clear()
    yield names
    encoders._why_not.cache_clear()


def test_first_that_works_is_taken_and_the_others_reasons_kept(working: set[str]) -> None:
    working |= {"h264_qsv", "libx264"}

    chosen = choose_encoder("auto", "linux")

    assert (chosen.name, chosen.refused) == ("h264_qsv", ("h264_nvenc does not work",))


def test_named_encoder_is_forced(working: set[str]) -> None:
    working |= {"h264_nvenc", "libx264"}

    assert choose_encoder("libx264", "linux").name == "libx264"
    with pytest.raises(EncoderError, match="h264_qsv does not work"):
        choose_encoder("h264_qsv", "linux")


def test_none_that_works_says_why_of_each(working: set[str]) -> None:
    assert not working
    with pytest.raises(EncoderError, match=r"no hevc encoder works here: hevc_nvenc does.*; hevc_qsv.*; libx265"):
        choose_encoder("hevc", "linux")


def test_each_encoder_is_probed_once_a_process(monkeypatch: pytest.MonkeyPatch, working: set[str]) -> None:
    del working
    probed: list[str] = []
    monkeypatch.setattr(encoders, "probe_encoder", probed.append)

    for _ in range(3):
        choose_encoder("libx264")

    assert probed == ["libx264"]


@pytest.mark.parametrize("name", ["libx264", "libx265"])
def test_software_encoders_pass_their_probe(name: str) -> None:
    probe_encoder(name)


@pytest.mark.parametrize(
    ("name", "codec"), [("libsvtav1", "av1"), ("libvpx-vp9", "vp9"), ("mpeg4", "mpeg4"), ("mjpeg", "mjpeg")]
)
def test_encoder_of_another_codec_is_refused_unopened(name: str, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened as root, libsvtav1 makes the whole export a real-time process; the others were `Invalid argument`."""
    if name not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {name}")
    monkeypatch.setattr(encoders, "_PROBE_FRAMES", 0)  # nothing but the codec's name is left to refuse it by
    monkeypatch.setattr(encoders, "pixel_format_for", lambda *_: "yuv420p")
    before = policies()

    with pytest.raises(EncoderError, match=f"^{name} writes {codec}, and exports are H.264 or HEVC"):
        choose_encoder(name)

    assert policies() == before


def policies() -> set[int]:
    """Scheduling policies of this process's threads, where the platform has some."""
    if not hasattr(os, "sched_getscheduler") or not Path("/proc/self/task").is_dir():
        return set()
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_encoder_with_a_wrong_picture_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that opens and encodes green is worse than one that does not open."""
    original = encoders._grey_frame

    def green(pixel_format: str, number: int) -> Any:
        frame = original(pixel_format, number)
        plane_samples(frame.planes[0])[:] = 145
        return frame

    monkeypatch.setattr(encoders, "_grey_frame", green)

    with pytest.raises(EncoderError, match="its picture is wrong: grey 180 is off by 3"):
        probe_encoder("libx264")


@pytest.mark.parametrize(
    ("quality", "bit_rate"), [("highest", 18_662_400), ("high", 9_331_200), ("medium", 4_976_640), ("low", 2_488_320)]
)
def test_bit_rate_is_width_x_height_x_bits_a_pixel_x_fps(quality: str, bit_rate: int) -> None:
    assert codec_options(EncoderSettings(quality=quality), 1920, 1080, Fraction(30))[0] == bit_rate


def test_bit_rate_of_an_icon_is_one_that_encoders_take() -> None:
    assert codec_options(EncoderSettings(quality="low"), 16, 16, Fraction(1))[0] == 10_000


@pytest.mark.parametrize(
    ("size", "bits_per_pixel"), [((3840, 2160), 0.15), ((854, 480), 0.15), ((427, 240), 0.3), ((160, 90), 0.8)]
)
def test_small_pictures_get_more_bits_a_pixel(size: tuple[int, int], bits_per_pixel: float) -> None:
    """Text of 320x180 could not be read at medium quality: the same bits a pixel are coarser where detail is finer."""
    bit_rate, _ = codec_options(EncoderSettings(quality="high"), *size, Fraction(30))

    assert bit_rate == pytest.approx(size[0] * size[1] * bits_per_pixel * 30, rel=2e-3)


def test_a_smaller_picture_never_gets_a_higher_bit_rate() -> None:
    rates = [codec_options(EncoderSettings(), side * 16, side * 9, Fraction(30))[0] for side in range(1, 121)]

    assert rates == sorted(rates)


def test_bit_rate_follows_an_exact_rate() -> None:
    bit_rate, _ = codec_options(EncoderSettings(), 1920, 1080, Fraction(30000, 1001))

    assert bit_rate == round(1920 * 1080 * 0.15 * 30000 / 1001)


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (EncoderSettings(qp=20), ("qp", "20")),
        (EncoderSettings(crf=18), ("crf", "18")),
        (EncoderSettings(qp=20, crf=18), ("qp", "20")),
        (EncoderSettings(name="h264_nvenc", qp=20), ("qp", "20")),
        (EncoderSettings(name="h264_qsv", qp=20), ("global_quality", "20")),
    ],
)
def test_quantisers_leave_the_bit_rate_open(settings: EncoderSettings, option: tuple[str, str]) -> None:
    bit_rate, options = codec_options(settings, 1920, 1080, Fraction(30))

    assert bit_rate == 0
    assert option in options.items()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (EncoderSettings(name="h264_videotoolbox", qp=20), "has no fixed quantiser here; use --quality"),
        (EncoderSettings(name="h264_nvenc", crf=20), "crf must be between 0 and 51, for libx264 or libx265"),
    ],
)
def test_what_an_encoder_cannot_is_refused_not_ignored(settings: EncoderSettings, words: str) -> None:
    with pytest.raises(InputError, match=words):
        codec_options(settings, 1920, 1080, Fraction(30))
