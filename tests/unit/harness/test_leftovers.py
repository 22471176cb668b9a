"""A result folder's own files: links are refused, and a resume removes exactly what killed runs left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from capbench.errors import OutputError, ResultError
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.leftovers import own_folder, remove
from capbench.harness.run.result_folder import RunFolder, lock_folder
from capbench.harness.run.schedule import Plan, ScheduledRun
from capbench.results import RunResult

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows asks for a privilege to make links")

_CASE = Case(
    name="clip",
    recording="1080p-1min",
    subjects=("one",),
    blocks=3,
    timeout_s=9,
    settle_s=0,
    warmup=True,
    drift_control=False,
)
_SUBJECT = Subject(name="one", command=("cp", "{source}", "{output}"))
_MATRIX = RunMatrix(name="fake", cases=(_CASE,), subjects=(_SUBJECT,))


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder whose block 0 is recorded and whose other runs are not."""
    folder = RunFolder(tmp_path / "out")
    folder.begin(Plan(matrix=_MATRIX, seed=1))
    folder.write_run(ScheduledRun(_CASE, _SUBJECT, 0, 0), RunResult(case="clip", subject="one", block=0, wall_s=1.0))
    return folder.path


def _put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("content")


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_resume_removes_what_unrecorded_runs_left_and_nothing_else(begun: Path) -> None:
    before = _names(begun)
    kept = [
        "outputs/clip--one--b000.mp4",
        "traces/clip--one--b000.json",
        "frames/clip--one--b000/frame-000001-output.png",
        "outputs/notes.txt",
        "outputs/clip--other--b001.mp4",
        "outputs/another--one--b001.mp4",
        "outputs/clip--one.mp4",
        "mine.partial.json",
        ".mine.0123abcd.partial.json",
        "traces.zip",
    ]
    _put(begun, *kept)
    _put(
        begun,
        "outputs/clip--one--b001.mp4",
        "outputs/clip--one--warmup.mp4",
        "outputs/clip--one--b002.mp4/inside.m4s",
        "traces/clip--one--b001.json",
        "frames/clip--one--b001/frame-000001-output.png",
        "in-progress/clip--one--b001.mp4",
        "in-progress/inspect-01234567.spec.json",
        "in-progress/deep/er.txt",
        ".matrix.0123abcd.partial.json",
        ".index.0123abcd.partial.html",
        "runs/.clip--one--b001.0123abcd.partial.json",
        "blocks/.clip--b000.0123abcd.partial.json",
    )

    RunFolder(begun).resume(_MATRIX)

    assert _names(begun) == before | set(kept)
    assert not (begun / "in-progress").exists()


def test_the_output_of_a_run_that_failed_stays_until_it_is_made_again(begun: Path) -> None:
    failed = RunResult(case="clip", subject="one", block=1, error="it crashed")
    RunFolder(begun).write_run(ScheduledRun(_CASE, _SUBJECT, 1, 0), failed)
    _put(begun, "outputs/clip--one--b001.mp4")

    RunFolder(begun, retries_failed=True).resume(_MATRIX)

    assert (begun / "outputs" / "clip--one--b001.mp4").exists()


_PLACES = [
    "outputs",
    "runs",
    "blocks",
    "traces",
    "frames",
    "in-progress",
    "matrix.json",
    "environment.json",
    "looks.json",
    "index.html",
    "runs/clip--one--b000.json",
    "outputs/clip--one--b001.mp4",
    "frames/clip--one--b001",
]


@pytest.mark.parametrize("place", _PLACES)
def test_a_link_in_the_folder_is_refused_and_what_it_leads_to_is_whole(begun: Path, place: str) -> None:
    elsewhere = begun.parent / "elsewhere"
    link = begun / place
    link.parent.mkdir(exist_ok=True)
    if link.exists():
        link.rename(elsewhere)
    else:
        _put(elsewhere, "clip--one--b001.mp4", "photo.jpg")
    link.symlink_to(elsewhere)
    before = _names(elsewhere) if elsewhere.is_dir() else elsewhere.read_text()

    with pytest.raises(ResultError, match="is a symbolic link") as raised:
        RunFolder(begun).resume(_MATRIX)

    assert str(link) in str(raised.value)
    assert link.is_symlink()
    assert before == (_names(elsewhere) if elsewhere.is_dir() else elsewhere.read_text())


@pytest.mark.parametrize("place", ["outputs", "in-progress", "index.html"])
def test_a_new_folder_with_a_link_inside_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / place).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ResultError, match="is a symbolic link"):
        RunFolder(tmp_path / "out").begin(Plan(matrix=_MATRIX, seed=1))

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError, match="cannot write to the result folder"), lock_folder(tmp_path):
        pass

    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_became_a_link_meanwhile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "outputs").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError, match="is a symbolic link"):
        own_folder(tmp_path / "out", "outputs")


def test_the_result_folder_itself_may_be_a_link(begun: Path) -> None:
    latest = begun.parent / "latest"
    latest.symlink_to(begun)

    assert RunFolder(latest).resume(_MATRIX).seed == 1


def test_a_folder_that_was_begun_and_killed_at_once_can_be_begun_or_resumed(tmp_path: Path) -> None:
    _put(tmp_path / "first", ".matrix.0123abcd.partial.json", "in-progress/x")
    RunFolder(tmp_path / "first").begin(Plan(matrix=_MATRIX, seed=1))
    assert _names(tmp_path / "first") == {"matrix.json"}

    (tmp_path / "first" / "runs").rmdir()
    assert RunFolder(tmp_path / "first").resume(_MATRIX).seed == 1


@pytest.mark.parametrize("kind", ["file", "folder", "link to a folder", "dangling link", "closed folder", "absent"])
def test_whatever_is_there_is_removed_and_a_link_is_not_followed(tmp_path: Path, kind: str) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    _put(elsewhere, "photo.jpg")
    if kind == "file":
        place.touch()
    elif kind == "folder":
        _put(place, "a/b/c")
        (place / "a" / "link").symlink_to(elsewhere)
    elif kind == "link to a folder":
        place.symlink_to(elsewhere)
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    elif kind == "closed folder":
        _put(place, "a/b")
        (place / "a").chmod(0)

    remove(place)

    assert not os.path.lexists(place)
    assert _names(elsewhere) == {"photo.jpg"}
