"""Outputs of runs that failed or are not valid: the newest are kept within a limit, for somebody to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

from capbench.files import describe_os_error
from capbench.harness.run.leftovers import own_folder, remove
from capbench.results.folder import FAILED_OUTPUTS

__all__ = ["forget_failed_output", "keep_failed_output"]

_MOST_BYTES = 2**28
"""Of all of them together: 256 MiB hold minutes of 4K, and a CI system keeps as much as an artifact."""
_MOST_SHARE = 0.1
"""Of the disk's free space, likewise: what is measured next needs the room more."""


def keep_failed_output(output: Path, folder: Path) -> str | None:
    """Move an output into `failed/` of a result folder; the oldest there make room for it.

    Returns why it was not kept, None where it was or where there is nothing to keep. A disk that is full is such a
    reason: it must not cost the run. Only a regular file is kept: where a link leads is the subject's affair.
    """
    try:
        if output.is_symlink() or not output.is_file() or output.stat().st_size == 0:
            return None
        size, most = output.stat().st_size, min(_MOST_BYTES, int(_MOST_SHARE * shutil.disk_usage(folder).free))
        if size > most:
            return f"its output of {size} bytes is not kept: more than {most} bytes, the limit for failed outputs here"
        kept = own_folder(folder, FAILED_OUTPUTS)
        output.replace(kept / output.name)
        _make_room(kept, most, newest=kept / output.name)
    except OSError as error:
        return f"its output could not be kept: {describe_os_error(error)}"
    return None


def forget_failed_output(name: str, folder: Path) -> None:
    """Remove what an earlier attempt at a run left that has now succeeded."""
    if (folder / FAILED_OUTPUTS).is_dir():
        remove(own_folder(folder, FAILED_OUTPUTS) / name)


def _make_room(kept: Path, most: int, *, newest: Path) -> None:
    """Remove the oldest until all together fit; equal outputs are links to one file, which counts once."""
    entries = [(entry, entry.lstat()) for entry in kept.iterdir() if entry.is_file() and not entry.is_symlink()]
    # When a file was moved here is its time of change: its content is as old as the run.
    entries.sort(key=lambda each: (each[0] == newest, each[1].st_ctime_ns), reverse=True)
    seen: set[int] = set()
    total = 0
    for entry, stat in entries:
        total += 0 if stat.st_ino in seen else stat.st_size
        seen.add(stat.st_ino)
        if total > most:
            remove(entry)
