"""What the exporters that were held back with the clips of seed 2262 are given."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.clip_facts import command, facts_at, takers
from tests.strangers.encoder_programs.exporters_2262 import EXPORTERS_2262
from tests.strangers.stream_facts import SoundFacts

EXPORTERS = {each.name: each for each in EXPORTERS_2262}
BY_RGB = {"ffmpegcv-h264-mkv", "vidgear-h264-mkv", "scikit-video-h264-mkv"}
MEANS_601 = {"vpxenc-vp8-webm", "gstreamer-theora-mkv"}


def test_a_plain_clip_that_states_no_colours_is_for_every_program() -> None:
    assert takers(EXPORTERS, width=320, height=240) == set(EXPORTERS)


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"matrix": "bt709"}, BY_RGB | MEANS_601),
        ({"rotation": 90}, {"older-pyav-h264-mov", "mpeg2enc-mkv", *BY_RGB, *MEANS_601}),
        ({"sample_aspect": Fraction(16, 15)}, {"older-pyav-h264-mov", "mpeg2enc-mkv", *BY_RGB, *MEANS_601}),
        ({"pixel_format": "yuv444p"}, {"ffmpeg8-av1-mkv", "mpeg2enc-mkv", *MEANS_601}),
        ({"full_range": True}, {"mpeg2enc-mkv", *BY_RGB, *MEANS_601}),
        ({"width": 321}, set(EXPORTERS)),
        ({"path": Path("in.ts")}, {"ffmpeg41-h264-mkv", "ffmpeg6-hevc-mov", "ffmpeg6-vp9-webm"}),
        ({"sounds": (SoundFacts(6, 48000, Fraction(0)),)}, {"older-pyav-h264-mov", "gst-transcoder-h264-mkv", *BY_RGB}),
        ({"width": 160, "height": 120}, {"melt-dnxhr-mov"}),
        ({"width": 1280, "height": 720}, {"mpeg2enc-mkv"}),
        ({"pixel_format": "yuv420p10le"}, {"ffmpeg41-h264-mkv"}),
        ({"codec": "av1"}, {"ffmpegcv-h264-mkv", "vidgear-h264-mkv"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_nobody_is_asked_for_what_a_program_cannot_do(changed: dict[str, Any], left_out: set[str]) -> None:
    assert not left_out & takers(EXPORTERS, **changed)


def test_uneven_times_are_not_for_programs_with_one_rate() -> None:
    uneven = facts_at([Fraction(n * n, 300) for n in range(30)], matrix=None, width=320, height=240)
    taken = {name for name, each in EXPORTERS.items() if each.takes(uneven)}

    assert not taken & {"mpeg2enc-mkv", "handbrake-av1-mkv-constant", *BY_RGB}
    assert {"older-pyav-h264-mov", "vpxenc-vp8-webm"} <= taken


@pytest.mark.parametrize(("rate", "takes"), [("25", True), ("30000/1001", True), ("60", False), ("15", False)])
def test_mpeg_2_is_given_rates_that_it_can_say(rate: str, takes: bool) -> None:
    given = facts_at([n / Fraction(rate) for n in range(30)], matrix=None, width=320, height=240)

    assert EXPORTERS["mpeg2enc-mkv"].takes(given) is takes


def test_ffmpeg_4_is_told_the_colours_that_later_ones_hand_on() -> None:
    assert "bt709" in command(EXPORTERS["ffmpeg41-h264-mkv"], matrix="bt709")
    assert "bt709" not in command(EXPORTERS["ffmpeg8-h264-mp4"], matrix="bt709")


def test_a_silent_clip_is_exported_without_sound() -> None:
    assert "none" in command(EXPORTERS["mpeg2enc-mkv"], sounds=())
    assert "0:a" not in command(EXPORTERS["ffmpeg6-hevc-mov"], sounds=())
    assert command(EXPORTERS["gst-transcoder-h264-mkv"], sounds=())[-1] == "video/x-matroska:video/x-h264"
