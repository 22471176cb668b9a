"""What the exporters that are held back are given, and that each of them makes a file that can be read."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.strangers import tool_programs
from tests.strangers.clip_facts import command, facts_at, takers
from tests.strangers.encoder_programs.exporters_2262 import EXPORTERS_2262
from tests.strangers.encoder_programs.exporters_6396 import EXPORTERS_6396
from tests.strangers.encoder_programs.exporters_9555 import EXPORTERS_9555
from tests.strangers.encoder_programs.held_back_exporters import HELD_BACK_EXPORTERS
from tests.strangers.foreign_exporters import EXPORTERS as FIRST_EXPORTERS
from tests.strangers.stream_facts import SoundFacts, probe
from tests.strangers.tool_programs import FileCache, version_of

EXPORTERS = {each.name: each for each in HELD_BACK_EXPORTERS}
WITHOUT_TAGS = {
    *("minih264-mkv", "webcodecs-h264-mp4", "gstreamer-av1-mkv", "handbrake-theora-mkv"),
    *("mencoder-xvid-avi", "imageio-pyav-h264-mkv"),
}


def test_a_plain_clip_that_states_no_colours_is_for_every_program() -> None:
    assert takers(EXPORTERS, width=320, height=240) == set(EXPORTERS)


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"matrix": "bt709"}, WITHOUT_TAGS),
        ({"width": 1280, "height": 720}, WITHOUT_TAGS),
        ({"rotation": 90}, {"ffmpeg71-av1-mp4", "gstreamer-prores-mov", *WITHOUT_TAGS}),
        ({"sample_aspect": Fraction(16, 15)}, {"ffmpeg71-av1-mp4", "gstreamer-prores-mov", *WITHOUT_TAGS}),
        ({"pixel_format": "yuv444p"}, {"ffmpeg71-av1-mp4", *WITHOUT_TAGS} - {"imageio-pyav-h264-mkv"}),
        ({"full_range": True}, {"gstreamer-prores-mov", *WITHOUT_TAGS}),
        ({"width": 321}, set(EXPORTERS)),
        ({"path": Path("in.ts")}, {"ffmpeg71-h264-mov", "ffmpeg71-av1-mp4"}),
        ({"codec": "prores"}, {"ffmpeg71-h264-mov", "ffmpeg71-av1-mp4"}),
        ({"sounds": (SoundFacts(6, 48000, Fraction(0)),)}, {"ffmpeg71-h264-mov", "mencoder-xvid-avi"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_nobody_is_asked_for_what_a_program_cannot_do(changed: dict[str, Any], left_out: set[str]) -> None:
    assert not left_out & takers(EXPORTERS, **changed)


def test_uneven_times_are_not_for_programs_with_one_rate() -> None:
    uneven = facts_at([Fraction(n * n, 300) for n in range(30)], matrix=None, width=320, height=240)
    taken = {name for name, each in EXPORTERS.items() if each.takes(uneven)}

    assert not taken & {"minih264-mkv", "mencoder-xvid-avi", "imageio-pyav-h264-mkv"}
    assert "webcodecs-h264-mp4" in taken


def test_a_silent_clip_is_exported_without_sound() -> None:
    assert "-nosound" in command(EXPORTERS["mencoder-xvid-avi"], sounds=())
    assert "0:a" not in command(EXPORTERS["ffmpeg71-h264-mov"], sounds=())
    assert "an=1" in command(EXPORTERS["melt-hevc-mkv"], sounds=())


def test_no_exporter_that_is_held_back_was_seen() -> None:
    seen = (*FIRST_EXPORTERS, *EXPORTERS_9555, *EXPORTERS_6396, *EXPORTERS_2262)

    assert not {each.name for each in seen} & set(EXPORTERS)
    new = {each.program for each in HELD_BACK_EXPORTERS} - {each.program for each in seen}
    assert new == {"ffmpeg-7.1", "h264-mp4-encoder", "webcodecs", "imageio-pyav"}


def test_an_encoder_for_javascript_is_absent_where_it_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for package, code in (("h264-mp4-encoder", ""), ("@napi-rs/webcodecs", "throw new Error('no binding')")):
        folder = tmp_path / package
        folder.mkdir(parents=True)
        (folder / "index.js").write_text(code, encoding="utf-8")
        (folder / "package.json").write_text('{"version": "1.2.3", "main": "index.js"}', encoding="utf-8")
    version_of.cache_clear()

    monkeypatch.setenv("CAPBENCH_NODE_MODULES", str(tmp_path))
    found = {name: version_of(name) for name in tool_programs._NODE_PACKAGES}
    monkeypatch.delenv("CAPBENCH_NODE_MODULES")
    version_of.cache_clear()
    absent = version_of("h264-mp4-encoder")
    version_of.cache_clear()

    assert found == {"h264-mp4-encoder": "1.2.3", "webcodecs": None}
    assert absent is None


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_what_it_writes_can_be_read(name: str, tmp_path: Path) -> None:
    exporter = EXPORTERS[name]
    if shutil.which("ffmpeg") is None or exporter.version is None:
        pytest.skip(f"{exporter.program} is not installed: python3 noxfile.py -s strangers")
    source = tmp_path / "source.mp4"
    picture, sound = "testsrc2=s=320x240:r=25:d=0.6", "sine=f=300:b=2:d=0.6:r=48000"
    words = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    subprocess.run([*words, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", str(source)], check=True)

    found = probe(exporter.export(probe(source), FileCache(tmp_path / "exports"), tree=""))

    assert (found.width, found.height, found.frame_count) == (320, 240, 15)
    assert len(found.sounds) == 1
