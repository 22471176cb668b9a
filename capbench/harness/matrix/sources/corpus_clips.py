"""The clips of a corpus: which files a folder or a list means, and what each is called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from capbench.errors import MatrixError
from capbench.files import describe_os_error, is_file, is_folder
from capbench.harness.matrix.model import Download
from capbench.harness.matrix.table_values import MOST_CASES
from capbench.harness.matrix.toml_file import CorpusTable
from capbench.units import shown

__all__ = ["CLIP_SUFFIXES", "CorpusClip", "find_clips"]

CLIP_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mpg", ".mpeg", ".y4m", ".ivf", ".ogv"),
    *(".flv", ".mxf", ".h264", ".hevc", ".m3u8"),
)
"""Suffixes of the files of a folder that are taken for clips: a corpus lies beside its licence and its checksums."""
_MOST_ENTRIES = 100_000
"""Of a folder: more are no corpus, and reading their names takes seconds."""


@dataclass(frozen=True, slots=True)
class CorpusClip:
    """One clip of a corpus."""

    name: str
    """Short name, unique in the corpus, of letters that file names and matrix files allow."""
    source: Path | None
    """The file; None for one that is fetched."""
    download: Download | None = None
    """Where it is fetched from."""


def find_clips(where: str, table: CorpusTable, folder: Path) -> tuple[CorpusClip, ...]:
    """The clips of a `[[corpus]]` table of a matrix file in `folder`, a folder's by name, a list's in its order.

    Raises `MatrixError` for a folder or file that is not there, and for a folder without a clip.
    """
    if table.files is not None:
        found = [_listed(f"{where}.files[{index}]", entry, folder) for index, entry in enumerate(table.files)]
    else:
        assert table.folder is not None
        found = [(name, path, None) for name, path in _in_folder(where, table, folder / table.folder)]
    stems = Counter(_name_of(PurePosixPath(name).stem) for name, _, _ in found)
    clips = []
    for name, source, download in found:
        short = _name_of(PurePosixPath(name).stem)
        # Two files that differ only in their suffix are told apart by it.
        clips.append(CorpusClip(short if stems[short] == 1 else _name_of(name), source, download))
    if repeated := [name for name, count in Counter(clip.name for clip in clips).items() if count > 1]:
        raise MatrixError(f"{where}: two clips are called {repeated[0]!r}; rename one of the files")
    return tuple(clips)


def _listed(where: str, entry: str | Download, folder: Path) -> tuple[str, Path | None, Download | None]:
    if isinstance(entry, Download):
        return PurePosixPath(unquote(urlsplit(entry.url).path)).name or "clip", None, entry
    path = (folder / entry).absolute()
    if not is_file(path):
        raise MatrixError(f"{where}: no such file: {shown(entry)}")
    return path.name, path, None


def _in_folder(where: str, table: CorpusTable, folder: Path) -> Sequence[tuple[str, Path]]:
    """Name and path of each clip of a folder, by name."""
    if not is_folder(folder):
        raise MatrixError(f"{where}.folder: no such folder: {shown(table.folder)}")
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries, start=1):
                if count > _MOST_ENTRIES:
                    raise MatrixError(f"{where}.folder: more than {_MOST_ENTRIES} entries in {shown(table.folder)}")
                if not entry.name.startswith(".") and fnmatchcase(entry.name, table.pattern):
                    names.append(entry.name)
    except OSError as error:
        raise MatrixError(f"{where}.folder: cannot read {shown(table.folder)}: {describe_os_error(error)}") from error
    clips = [name for name in sorted(names) if PurePosixPath(name).suffix.lower() in CLIP_SUFFIXES]
    clips = [name for name in clips if is_file(folder / name)]
    if not clips:
        matching = "" if table.pattern == "*" else f" that matches {shown(table.pattern)}"
        raise MatrixError(
            f"{where}.folder: no clip{matching} in {shown(table.folder)}; clips end in {', '.join(CLIP_SUFFIXES[:5])} "
            "and the like, or name them in `files`"
        )
    if len(clips) > MOST_CASES:
        raise MatrixError(f"{where}.folder: {len(clips)} clips; at most {MOST_CASES} are allowed")
    return [(name, (folder / name).absolute()) for name in clips]


def _name_of(file_name: str) -> str:
    """A file's name with what the name of a case must not hold replaced."""
    text = "".join(
        letter if (letter.isascii() and letter.isalnum()) or letter in "._+=@" else "_" for letter in file_name
    )
    return text.strip("._-") or "clip"
