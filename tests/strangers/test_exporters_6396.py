"""What the exporters that were held back with the clips of seed 6396 are given, and what they are told of the clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.clip_facts import command, facts_at, takers
from tests.strangers.encoder_programs.exporters_6396 import EXPORTERS_6396
from tests.strangers.stream_facts import SoundFacts

EXPORTERS = {each.name: each for each in EXPORTERS_6396}
BY_RGB = {"mencoder-mpeg4-avi", "imageio-h264-mp4", "mediapy-h264-mkv", "ffpyplayer-h264-mkv", "blender-h264-mkv"}


def test_a_plain_clip_that_states_no_colours_is_for_every_program() -> None:
    assert takers(EXPORTERS, width=320, height=240) == set(EXPORTERS)


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"matrix": "bt709"}, BY_RGB),
        ({"rotation": 90}, {"mpv-h264-mkv", "aomenc-av1-mkv", "pyav-h264-mp4", *BY_RGB}),
        ({"sample_aspect": Fraction(16, 15)}, {"pyav-hevc-mkv", "ffmpeg7-av1-mkv", *BY_RGB}),
        ({"pixel_format": "yuv444p"}, {"aomenc-av1-mkv", "mpv-vp9-webm", "ffmpeg7-av1-mkv", "mencoder-mpeg4-avi"}),
        ({"full_range": True}, {"aomenc-av1-mkv", "ffmpeg4-vp9-webm", "gstreamer-openh264-mov", *BY_RGB}),
        ({"width": 321}, set(EXPORTERS)),
        ({"path": Path("in.ts")}, {"ffmpeg4-vp9-webm", "ffmpeg7-hevc-mp4", "ffmpeg7-av1-mkv", "imageio-h264-mp4"}),
        ({"sounds": (SoundFacts(6, 48000, Fraction(0)),)}, {"pyav-h264-mp4", "gstreamer-openh264-mov", *BY_RGB}),
        ({"width": 1280, "height": 720}, BY_RGB),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_nobody_is_asked_for_what_a_program_cannot_do(changed: dict[str, Any], left_out: set[str]) -> None:
    assert not left_out & takers(EXPORTERS, **changed)


def test_uneven_times_are_not_for_programs_with_one_rate() -> None:
    uneven = facts_at([Fraction(n * n, 300) for n in range(30)], matrix=None, width=320, height=240)

    assert not any(EXPORTERS[name].takes(uneven) for name in BY_RGB)
    assert EXPORTERS["pyav-h264-mp4"].takes(uneven)


@pytest.mark.parametrize(("rate", "takes"), [("30", True), ("30000/1001", True), ("25/2", False)])
def test_blender_is_given_rates_that_it_can_say(rate: str, takes: bool) -> None:
    given = facts_at([n / Fraction(rate) for n in range(30)], matrix=None, width=320, height=240)

    assert EXPORTERS["blender-h264-mkv"].takes(given) is takes


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ffmpeg4-h264-mp4", ["-color_primaries", "bt2020", "-color_trc", "bt2020-10", "-colorspace", "bt2020nc"]),
        (
            "aomenc-av1-mkv",
            [
                *("--bit-depth=10", "--input-bit-depth=10", "--color-primaries=bt2020"),
                *("--transfer-characteristics=bt2020-10bit", "--matrix-coefficients=bt2020ncl"),
            ],
        ),
    ],
)
def test_a_program_is_told_depth_and_colours(name: str, words: list[str]) -> None:
    given = command(EXPORTERS[name], matrix="bt2020nc", pixel_format="yuv420p10le")

    start = given.index(words[0])
    assert given[start : start + len(words)] == words
    assert "bt2020" not in " ".join(command(EXPORTERS[name]))


def test_a_silent_clip_is_exported_without_sound() -> None:
    assert "-nosound" in command(EXPORTERS["mencoder-mpeg4-avi"], sounds=())
    assert "0:a" not in command(EXPORTERS["ffmpeg7-hevc-mp4"], sounds=())
    assert command(EXPORTERS["blender-h264-mkv"], sounds=())[-1] == "silent"
