"""What the exporters that were held back with the clips of seed 9555 are given, and what they are told of the clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.clip_facts import facts, takers
from tests.strangers.encoder_programs import exporters_9555
from tests.strangers.encoder_programs.exporters_9555 import EXPORTERS_9555
from tests.strangers.stream_facts import SoundFacts

EXPORTERS = {each.name: each for each in EXPORTERS_9555}


def test_a_plain_clip_that_states_no_colours_is_for_every_program() -> None:
    assert takers(EXPORTERS, width=320, height=240) == set(EXPORTERS)


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"matrix": "bt709"}, {"opencv-ffv1-mkv", "opencv-mpeg4-mkv", "openshot-h264-mp4"}),
        ({"rotation": 90}, {"x264-mkv", "vpxenc-vp9-webm", "ges-vp8-webm", "vlc-h264-mkv"}),
        ({"pixel_format": "yuv444p"}, {"svt-av1-mkv"}),
        ({"full_range": True}, {"vpxenc-vp9-webm", "newer-ffmpeg-openh264-mp4"}),
        ({"width": 321}, {"newer-ffmpeg-h264-mp4", "x265-mkv"}),
        ({"sounds": (SoundFacts(6, 48000, Fraction(0)),)}, {"ges-h264-mkv", "vlc-h264-mkv"}),
        ({"width": 1280, "height": 720}, {"rav1e-mkv"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_nobody_is_asked_for_what_a_program_cannot_do(changed: dict[str, Any], left_out: set[str]) -> None:
    assert not left_out & takers(EXPORTERS, **changed)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x264-mkv", ["--colorprim", "bt2020", "--transfer", "bt2020-10", "--colormatrix", "bt2020nc"]),
        ("x265-mkv", ["--colorprim", "bt2020", "--transfer", "bt2020-10", "--colormatrix", "bt2020nc"]),
        ("svt-av1-mkv", ["--color-primaries", "9", "--transfer-characteristics", "14", "--matrix-coefficients", "9"]),
        ("rav1e-mkv", ["--primaries", "BT2020", "--transfer", "BT2020_10Bit", "--matrix", "BT2020NCL"]),
        ("vpxenc-vp9-webm", ["--profile=2", "--bit-depth=10", "--input-bit-depth=10", "--color-space=bt2020"]),
    ],
)
def test_an_encoder_is_told_depth_and_colours(name: str, words: list[str]) -> None:
    deep = facts(matrix="bt2020nc", pixel_format="yuv420p10le")
    command = [str(word) for word in EXPORTERS[name].command(deep, Path("out.mkv"))]
    split = command.index("--")

    muxing, encoder = command[:split], command[split + 1 :]
    assert encoder[-len(words) :] == words
    assert muxing[muxing.index("--color-matrix-coefficients") + 1] == "0:9"
    assert not any("color-matrix" in str(word) for word in EXPORTERS[name].command(facts(), Path("out.mkv")))


def test_editing_services_are_asked_for_the_clips_own_shape_and_rate() -> None:
    words = " ".join(map(str, EXPORTERS["ges-h264-mkv"].command(facts(), Path("out.mkv"))))

    assert "width=320,height=180,framerate=30/1" in words
    assert "rate=44100,channels=2" in words


def test_a_silent_clip_is_exported_without_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters_9555, "newer_ffmpeg", lambda: "ffmpeg")
    silent = facts(sounds=())

    assert "none" in EXPORTERS["x264-mkv"].command(silent, Path("out.mkv"))
    assert "0:a" not in EXPORTERS["newer-ffmpeg-h264-mp4"].command(silent, Path("out.mp4"))
    assert "video" in EXPORTERS["ges-h264-mkv"].command(silent, Path("out.mkv"))
