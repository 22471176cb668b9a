"""Cache of recordings: each is made once, found by its parameters, and named only when complete."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from capbench.errors import OutputError
from capbench.files import partial_path
from capbench.recordings.spec import RecordingSpec

__all__ = ["GENERATOR_VERSION", "cache_folder", "cached_path", "make_recording"]

GENERATOR_VERSION = 1
"""Part of the content key: raise it whenever the pictures, the sound or the encoding change."""

_PLAYLIST = "playlist.m3u8"
_LEFTOVER_AGE_S = 24 * 3600


def cache_folder() -> Path:
    """Folder of all recordings: `recordings` under `CAPBENCH_CACHE`, otherwise under the user's cache folder."""
    chosen = os.environ.get("CAPBENCH_CACHE")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("capbench")) / "recordings"


def cached_path(spec: RecordingSpec, *, folder: Path | None = None) -> Path:
    """Where the recording of a spec lies once it is made; a playlist for HLS. Specs that differ in name share it."""
    fps = str(spec.rate)
    content = [GENERATOR_VERSION, spec.width, spec.height, fps, spec.frames, spec.container, spec.seed]
    if spec.content != "screen":  # recordings of a screen that lie in a cache already keep their names
        content.append(spec.content)
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    stem = f"{spec.width}x{spec.height}-{fps.replace('/', '_')}fps-{spec.frames}-{key}"
    base = cache_folder() if folder is None else folder
    return base / stem / _PLAYLIST if spec.container == "hls" else base / f"{stem}.mp4"


def make_recording(
    spec: RecordingSpec, *, folder: Path | None = None, on_frame: Callable[[int], None] | None = None
) -> Path:
    """Make a recording, or find it in `folder` (`cache_folder()` when None); returns the file or the HLS playlist.

    `on_frame` is called with the number of frames done, never when the recording was there already. A recording gets
    its name when it is complete. Raises `OutputError` where it cannot be written, and what `on_frame` raises.
    """
    path = cached_path(spec, folder=folder)
    if path.is_file():
        return path
    # Only now: finding a recording must not cost the import of the codecs and fonts.
    from capbench.recordings.write import write_recording

    target = path.parent if spec.container == "hls" else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        with _partial_folder(target) if spec.container == "hls" else partial_path(target) as partial:
            write_recording(spec, partial / _PLAYLIST if spec.container == "hls" else partial, on_frame=on_frame)
    except OSError as error:
        raise OutputError(f"cannot write the recording {spec.name!r} to {target}: {_reason(error)}") from error
    return path


@contextlib.contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """Folder beside `target` to fill; renamed on success, removed on any failure."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir()
    try:
        yield partial
        # A second process may have finished the same recording meanwhile; its content is the same.
        with contextlib.suppress(FileExistsError):
            _rename_folder(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _rename_folder(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(error.errno, error.strerror, str(target)) from error
        raise


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that were killed left of this recording; those still at work are younger than a day."""
    for partial in target.parent.glob(f".{target.stem}.*.partial*"):
        with contextlib.suppress(FileNotFoundError):  # another process was at work, and has finished it meanwhile
            if partial.stat().st_mtime < time.time() - _LEFTOVER_AGE_S:
                if partial.is_dir():
                    shutil.rmtree(partial, ignore_errors=True)
                else:
                    partial.unlink()


def _reason(error: OSError) -> str:
    remedy = {
        errno.ENOSPC: "free some space or point CAPBENCH_CACHE at another disk",
        errno.EDQUOT: "free some space or point CAPBENCH_CACHE at another disk",
        errno.EACCES: "point CAPBENCH_CACHE at a folder that you may write to",
        errno.EPERM: "point CAPBENCH_CACHE at a folder that you may write to",
        errno.EROFS: "point CAPBENCH_CACHE at a folder that you may write to",
        errno.ENOTDIR: "point CAPBENCH_CACHE at a folder",
        errno.EEXIST: "point CAPBENCH_CACHE at a folder",
    }.get(error.errno or 0)
    what = error.strerror or str(error)
    return f"{what}; {remedy}" if remedy else what
