"""Recordings are found by their content, complete or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from capbench.errors import InputError, OutputError
from capbench.recordings import STANDARD_RECORDINGS, RecordingSpec, cache_folder, cached_path, make_recording

TINY = RecordingSpec("tiny", 160, 90, 30, 0.5)
TINY_HLS = replace(TINY, container="hls")
both_containers = pytest.mark.parametrize("spec", [TINY, TINY_HLS], ids=["mp4", "hls"])


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_standard_recordings_are_those_of_the_matrix_and_a_camera() -> None:
    rows = {
        name: (spec.width, spec.height, spec.fps, spec.frames, spec.container, spec.content)
        for name, spec in STANDARD_RECORDINGS.items()
    }

    assert rows == {
        "1080p-1min": (1920, 1080, 30, 1800, "mp4", "screen"),
        "4k-1min": (3840, 2160, 30, 1800, "mp4", "screen"),
        "1080p-10min": (1920, 1080, 30, 18000, "mp4", "screen"),
        "hls-1080p-1min": (1920, 1080, 30, 1800, "hls", "screen"),
        "camera-1min": (1280, 720, 30, 1800, "mp4", "camera"),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 161}, "161x90"),
        ({"height": 88}, "160x88"),
        ({"width": 30000, "height": 30000}, "30000x30000"),
        ({"width": 8194}, "8194x90"),
        ({"width": 8192, "height": 8192}, "8192x8192"),
        ({"width": 2 * 10**5000}, "8192 a side"),
        ({"fps": 0}, "0 fps"),
        ({"fps": 241}, "241 fps"),
        ({"duration_s": 0.0}, "0.0 s"),
        ({"duration_s": float("nan")}, "nan s"),
        ({"duration_s": float("inf")}, "inf s"),
        ({"duration_s": 40000.0}, "1200000 frames"),
        ({"duration_s": 90000.0, "fps": 1}, "90000.0 s"),
        ({"container": "mkv"}, "'mkv'"),
    ],
)
def test_wrong_spec_is_refused_with_its_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize(
    ("fps", "duration_s", "flashes"),
    [
        (30, 2.5, (0, 30, 60)),
        (30, 2.0, (0, 30)),
        (Fraction(30000, 1001), 2.1, (0, 30, 60)),
        (Fraction(24000, 1001), 3.0, (0, 24, 48)),
        (Fraction(5, 2), 2.0, (0, 3)),
        (30, 0.1, (0,)),
    ],
)
def test_flashes_start_at_the_first_frame_of_each_second(
    fps: Fraction | int, duration_s: float, flashes: tuple[int, ...]
) -> None:
    assert RecordingSpec("x", 160, 90, fps, duration_s).flash_frames == flashes


def test_key_depends_on_the_content_and_not_on_the_name(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"width": 162},
        {"height": 92},
        {"fps": Fraction(30000, 1001)},
        {"duration_s": 0.6},
        {"container": "hls"},
        {"seed": 2},
    ]
    paths = [cached_path(replace(TINY, **change), folder=tmp_path) for change in changes]

    assert len(set(paths)) == len(changes)
    assert cached_path(replace(TINY, name="other", fps=Fraction(30)), folder=tmp_path) == paths[0]


@both_containers
def test_what_another_process_was_writing_may_be_gone_when_it_is_looked_at(spec: RecordingSpec, tmp_path: Path) -> None:
    """It got its name between the listing and the look: here a link that leads nowhere, listed and yet not there."""
    path = cached_path(spec, folder=tmp_path)
    target = path.parent if spec.container == "hls" else path
    target.with_name(f".{target.stem}.01234567.partial{target.suffix}").symlink_to(tmp_path / "gone")

    assert make_recording(spec, folder=tmp_path) == path
    assert path.is_file()


def test_cache_folder_is_the_users_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "recordings"
    monkeypatch.delenv("CAPBENCH_CACHE")
    assert cache_folder() == platformdirs.user_cache_path("capbench") / "recordings"


@both_containers
def test_second_call_finds_what_the_first_made(spec: RecordingSpec, tmp_path: Path) -> None:
    calls: list[int] = []

    first = make_recording(spec, folder=tmp_path, on_frame=calls.append)
    written_ns = first.stat().st_mtime_ns
    second = make_recording(spec, folder=tmp_path, on_frame=calls.append)

    assert first == second == cached_path(spec, folder=tmp_path)
    assert calls == list(range(1, 16))
    assert second.stat().st_mtime_ns == written_ns


@both_containers
@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_failed_build_leaves_nothing(spec: RecordingSpec, error: BaseException, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 7:
            raise error

    with pytest.raises(type(error)):
        make_recording(spec, folder=tmp_path, on_frame=stop)

    assert names_in(tmp_path) == set()


@both_containers
def test_killed_build_leaves_nothing_of_the_final_name(spec: RecordingSpec, tmp_path: Path) -> None:
    program = (
        "import os\nfrom pathlib import Path\nfrom capbench.recordings import RecordingSpec, make_recording\n"
        f"spec = RecordingSpec('x', 160, 90, 30, 0.5, {spec.container!r})\n"
        f"make_recording(spec, folder=Path({str(tmp_path)!r}), on_frame=lambda done: done == 7 and os._exit(9))\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 9

    left = names_in(tmp_path)
    assert left
    assert all(name.startswith(".") and ".partial" in name for name in left)
    path = make_recording(spec, folder=tmp_path)
    assert path.is_file()
    assert left < names_in(tmp_path)  # a day passes before they count as abandoned
    for name in left:
        os.utime(tmp_path / name, (0, 0))
    path.unlink()
    if spec.container == "hls":
        for part in path.parent.iterdir():
            part.unlink()
        path.parent.rmdir()
    path = make_recording(spec, folder=tmp_path)
    assert names_in(tmp_path) == {path.parent.name if spec.container == "hls" else path.name}


@both_containers
def test_two_builders_of_one_recording_both_get_it(spec: RecordingSpec, tmp_path: Path) -> None:
    """The second starts and ends while the first is at work."""
    paths: list[Path] = []

    def build_too(done: int) -> None:
        if done == 7:
            paths.append(make_recording(spec, folder=tmp_path))

    paths.append(make_recording(spec, folder=tmp_path, on_frame=build_too))

    assert paths[0] == paths[1]
    assert paths[0].is_file()
    assert len(names_in(tmp_path)) == 1


@both_containers
def test_disk_that_takes_no_more_is_an_output_error(spec: RecordingSpec, tmp_path: Path) -> None:
    """A limit on the size of files is the full disk that needs no mount; the HLS muxer itself would ignore either."""
    resource = pytest.importorskip("resource", reason="limits on file sizes are a POSIX thing")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(OutputError, match="cannot write the recording 'tiny'") as caught:
            make_recording(spec, folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert names_in(tmp_path) == set()


@both_containers
def test_cache_that_is_a_file_is_an_output_error_with_a_remedy(spec: RecordingSpec, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="point CAPBENCH_CACHE at a folder"):
        make_recording(spec, folder=tmp_path / "file")


@both_containers
def test_full_disk_names_the_remedy(spec: RecordingSpec, tmp_path: Path) -> None:
    def fill_up(_done: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left on device; free some space or point CAPBENCH_CACHE"):
        make_recording(spec, folder=tmp_path, on_frame=fill_up)
