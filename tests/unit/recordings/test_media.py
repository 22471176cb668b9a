"""`capbench media`, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli import media as media_module
from capbench.cli.app import app
from capbench.recordings import STANDARD_RECORDINGS, RecordingSpec, cached_path

SHORT = {
    "short": RecordingSpec("short", 160, 90, 30, 0.3),
    "short-hls": RecordingSpec("short-hls", 160, 90, 30, 0.3, "hls"),
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and two short recordings in place of the standard ones."""
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(media_module, "STANDARD_RECORDINGS", SHORT)
    return tmp_path


@pytest.mark.parametrize("again", [False, True], ids=["made", "found"])
def test_paths_go_to_stdout_and_progress_to_stderr(cache: Path, again: bool) -> None:
    runner = CliRunner()
    if again:
        runner.invoke(app, ["media", "short"])

    result = runner.invoke(app, ["media", "short-hls", "short", "short"])

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(cached_path(SHORT[name])) for name in ("short-hls", "short")]
    assert all(Path(line).is_file() and Path(line).is_relative_to(cache) for line in result.stdout.splitlines())
    assert "9/9" in result.stderr


def test_without_names_all_are_made(cache: Path) -> None:
    result = CliRunner().invoke(app, ["media"])

    assert result.stdout.splitlines() == [str(cached_path(spec)) for spec in SHORT.values()]
    assert (cache / "recordings").is_dir()


def test_list_makes_nothing_and_says_what_is_there(cache: Path) -> None:
    runner = CliRunner()
    before = runner.invoke(app, ["media", "--list"]).stdout
    assert before.count("not cached") == 2
    assert list(cache.iterdir()) == []

    runner.invoke(app, ["media", "short-hls"])
    lines = runner.invoke(app, ["media", "--list"]).stdout.splitlines()

    assert "not cached" in lines[0]
    assert "kB" in lines[1]
    assert str(cached_path(SHORT["short-hls"])) in lines[1]


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["media", "1080p-1min", "5k"])

    assert result.exit_code == 2
    assert "'5k'" in result.stderr
    assert all(name in result.stderr for name in STANDARD_RECORDINGS)


@pytest.mark.usefixtures("cache")
def test_unusable_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path / "file"))

    result = CliRunner().invoke(app, ["media", "short"])

    assert result.exit_code == 2
    assert "cannot write the recording 'short'" in result.stderr.splitlines()[-1]
    assert "point CAPBENCH_CACHE at a folder" in result.stderr.splitlines()[-1]


def test_help_has_an_example() -> None:
    assert "Example: " in CliRunner().invoke(app, ["media", "--help"]).stdout
