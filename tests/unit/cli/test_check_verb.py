"""`capbench check`: a matrix file is checked without running it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from capbench.cli import app as _  # noqa: F401  importing it registers the verbs
from capbench.cli.app import app
from tests.jobs_in_process import jobs_done_here

_CASE = "[[case]]\nname = 'one'\nrecording = { width = 320, height = 180 }\nduration_s = 1\n"
_MINE = "[[subject]]\nname = 'mine'\ncommand = 'no-such-program {source} {output}'\n"


@pytest.fixture
def _asked_here() -> Iterator[None]:
    """A worker takes a second to load its libraries; one test has a real one."""
    with jobs_done_here():
        yield


def _check(folder: Path, text: str) -> tuple[int, str]:
    (folder / "mine.toml").write_text(text)
    done = CliRunner().invoke(app, ["check", str(folder / "mine.toml")])
    return done.exit_code, done.output


@pytest.mark.usefixtures("_asked_here")
def test_it_says_who_takes_part_and_who_does_not(tmp_path: Path) -> None:
    code, said = _check(tmp_path, _CASE + "scene = 'studio'\n" + _MINE)

    assert code == 0
    assert "floor, cpu, gpu, mine" in said
    assert "mine is skipped: program 'no-such-program' is not on PATH" in said
    assert 'scenes = ["bare"]' in said
    assert "The base is cpu" in said


@pytest.mark.usefixtures("_asked_here")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (_CASE + "scene = 'studioo'\n", "did you mean 'studio'?"),
        (_CASE + "options = { presett = 'fast' }\n", "did you mean 'preset'?"),
        ("[[case]]\nname = 'a'\nrecording = '1080p-1mim'\n", "1080p-1min"),
        (_CASE + "subjects = ['gpuu']\n", "did you mean 'gpu'?"),
        ("[[case]]\nname = 'a'\nsource = 'mine.toml'\n", "mine.toml"),
    ],
)
def test_what_is_wrong_ends_it_with_2_and_what_was_meant(tmp_path: Path, text: str, meant: str) -> None:
    code, said = _check(tmp_path, text)

    assert code == 2
    assert meant in said
    assert "Traceback" not in said


def test_a_readable_source_passes(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as writer:
        stream = writer.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _number in range(2):
            writer.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        writer.mux(stream.encode(None))

    assert _check(tmp_path, "[[case]]\nname = 'a'\nsource = 'clip.mp4'\nsubjects = ['cpu']\n")[0] == 0
