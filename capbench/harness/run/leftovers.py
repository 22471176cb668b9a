"""What a result folder owns: its folders are never links, and what a killed runner left in them is removed."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from capbench.errors import OutputError, ResultError
from capbench.files import describe_os_error, is_partial
from capbench.results.folder import FAILED_OUTPUTS

__all__ = ["IN_PROGRESS", "UNVALIDATED", "own_folder", "refuse_links", "remove", "remove_leftovers"]

IN_PROGRESS = "in-progress"
"""Folder of the current run: its output until it is recorded, and the job files of the worker."""
UNVALIDATED = "unvalidated"
"""Folder of the outputs of recorded runs that wait for validation."""
_FOLDERS = ("runs", "blocks", "outputs", "traces", "frames", FAILED_OUTPUTS, UNVALIDATED)
"""Folders whose files are named after runs and blocks."""
_FILES = (
    "matrix.json",
    "environment.json",
    "machines.json",
    "attempts.jsonl",
    "looks.json",
    "index.html",
    "report.png",
    ".lock",
)
"""Files that capbench writes beside them."""
_OF_A_RUN = re.compile(
    r"(?P<stem>[^.].*?--(?:b\d{3,}|warmup|trial|drift-start|drift-end))(?:\.[A-Za-z0-9]+)?", re.DOTALL
)


def own_folder(folder: Path, name: str) -> Path:
    """The folder of that name inside a result folder, made on demand. Raises `OutputError`, also for a link."""
    own = folder / name
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {own}: {describe_os_error(error)}") from error
    if own.is_symlink():
        raise OutputError(_refusal(own))
    return own.absolute()


def refuse_links(folder: Path) -> None:
    """Look for links where capbench will write or delete. Raises `ResultError` that names the first.

    The result folder itself may be one: its user named it.
    """
    for path in _own_paths(folder):
        if path.is_symlink():
            raise ResultError(_refusal(path))


def _refusal(link: Path) -> str:
    return (
        f"{link} is a symbolic link, and capbench would write and delete in its target; "
        "remove it, or name the folder that it leads to with --out"
    )


def _own_paths(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in (*_FILES, *_FOLDERS, IN_PROGRESS))
    for name in _FOLDERS:  # what a subject left in the folder of the run in hand is removed, not followed
        for parent, folders, files in os.walk(folder / name, followlinks=False):
            yield from (Path(parent) / entry for entry in (*folders, *files))


def remove_leftovers(folder: Path, is_unrecorded: Callable[[str], bool]) -> None:
    """Remove what killed runners left: the unfinished run, half-written files, and what belongs to no recorded run.

    `is_unrecorded` is asked for the stem of a run that a file is named after: files that are named after nothing of
    this folder's plan stay, whoever put them there. Call it with the folder locked and without links. Raises
    `OutputError`.
    """
    remove(folder / IN_PROGRESS)
    for name in ("", "runs", "blocks"):
        for entry in _entries(folder / name):
            written = entry.name.split(".")[1] if is_partial(entry.name) else None
            if written is not None and (name or any(written == Path(own).stem for own in _FILES)):
                remove(entry)
    for name in ("runs", "outputs", "traces", "frames", FAILED_OUTPUTS, UNVALIDATED):
        for entry in _entries(folder / name):
            if name == "runs" and entry.suffix != ".log":
                continue  # a damaged record stays until its run is made again
            match = _OF_A_RUN.fullmatch(entry.name)
            if match is not None and is_unrecorded(match["stem"]):
                remove(entry)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with what is in it; a link is never followed. Raises `OutputError`."""
    try:
        if path.is_dir() and not path.is_symlink():
            _remove_folder(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove {error.filename or path}: {describe_os_error(error)}") from error


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except PermissionError:
        # A subject may leave folders that even their owner may not list or change.
        pending = [folder]
        while pending:
            inner = pending.pop()
            inner.chmod(stat.S_IRWXU)
            with os.scandir(inner) as entries:
                pending += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        shutil.rmtree(folder)
