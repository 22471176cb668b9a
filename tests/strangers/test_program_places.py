"""Where programs that are not on PATH are found, and what is absent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.strangers import tool_programs
from tests.strangers.clip_facts import facts
from tests.strangers.encoder_programs.exporters_2262 import EXPORTERS_2262
from tests.strangers.encoder_programs.exporters_6396 import EXPORTERS_6396
from tests.strangers.encoder_programs.held_back_exporters import HELD_BACK_EXPORTERS
from tests.strangers.tool_programs import program_path, version_of

EXPORTERS = {each.name: each for each in (*EXPORTERS_6396, *EXPORTERS_2262, *HELD_BACK_EXPORTERS)}


def caller(name: str) -> str:
    """The program that an exporter starts."""
    return str(EXPORTERS[name].command(facts(), Path("out.mkv"))[0])


@pytest.fixture(autouse=True)
def _fresh_versions() -> Iterator[None]:
    """Versions are asked for anew, before and afterwards."""
    version_of.cache_clear()
    yield
    version_of.cache_clear()


@pytest.mark.parametrize(
    ("program", "says", "exporter"),
    [
        ("ffmpeg-4", "4.2.2-static", "ffmpeg4-h264-mp4"),
        ("ffmpeg-8", "n8.0.1-23-gd1f31a829d", "ffmpeg8-h264-mp4"),
        ("ffmpeg-7.1", "n7.1", "ffmpeg71-h264-mov"),
    ],
)
def test_another_ffmpeg_is_where_its_variable_says(
    program: str, says: str, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "ffmpeg-v9.9"
    other.write_text(f"#!/bin/sh\necho ffmpeg version {says}\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv(tool_programs._PLACES[program], str(other))
    monkeypatch.delenv("CAPBENCH_FFMPEG_7", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert version_of(program) == says.partition("-")[0].lstrip("n")
    assert caller(exporter) == str(other)
    assert program_path("ffmpeg-7") == "ffmpeg-7"
    assert version_of("ffmpeg-7") is None
    assert version_of("mpeg2enc") is None


@pytest.mark.parametrize(
    ("variable", "present", "absent", "exporter"),
    [
        ("CAPBENCH_WRITERS_PYTHON", "pyav", "mediapy", "mediapy-h264-mkv"),
        ("CAPBENCH_OLDER_WRITERS_PYTHON", "older-pyav", "vidgear", "vidgear-h264-mkv"),
    ],
)
def test_a_library_that_its_interpreter_does_not_have_is_absent(
    variable: str, present: str, absent: str, exporter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, sys.executable)
    monkeypatch.setitem(tool_programs._MODULES, absent, "import no_such_library")

    assert version_of(present) is not None
    assert version_of(absent) is None
    assert caller(exporter) == sys.executable
