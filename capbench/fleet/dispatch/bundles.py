"""Clips and scenes as they are sent to machines: files by name and digest, never where they lie here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from capbench.errors import MatrixError
from capbench.files import content_digest, describe_os_error, parse_toml, read_text
from capbench.fleet.block_job import MOST_BUNDLE_FILES, MOST_FILE_BYTES, Bundle, BundleFile
from capbench.harness.matrix.model import Case
from capbench.harness.matrix.sources.fetch_clip import fetch_clip
from capbench.units import format_bytes

__all__ = ["CaseFiles"]


class CaseFiles:
    """The bundles of cases by their names, each file read once: every attempt at a block asks for them."""

    def __init__(self) -> None:
        self._known: dict[Path, BundleFile] = {}
        self._paths: dict[str, Path] = {}
        self._clips: dict[str, Bundle | None] = {}
        self._scenes: dict[str, Bundle | None] = {}

    def clip(self, case: Case) -> Bundle | None:
        """The clip of a case; None for a recording. Raises `MatrixError`, `UnavailableError`."""
        if case.name not in self._clips:
            self._clips[case.name] = self._bundle_clip(case)
        return self._clips[case.name]

    def scene(self, case: Case) -> Bundle | None:
        """The scene file of a case with the files that it names; None for a built-in scene. Raises `MatrixError`."""
        if case.name not in self._scenes:
            self._scenes[case.name] = self._bundle_scene(case)
        return self._scenes[case.name]

    def path_of(self, file: BundleFile) -> Path:
        """Where a file of a bundle lies here."""
        return self._paths[file.sha256]

    def _bundle_clip(self, case: Case) -> Bundle | None:
        where = f"case {case.name!r}"
        source = fetch_clip(where, case.download) if case.download is not None else case.source
        if source is None:
            return None
        if source.suffix.lower() in (".m3u8", ".m3u"):
            files = [source, *_files_of_playlist(where, source)]
            return self._bundle(where, source.parent, source, files)
        # Its name says nothing that the suffix does not, and could be anything.
        suffix = source.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", source.suffix) else ""
        file = self._file(where, source).model_copy(update={"name": f"clip{suffix}"})
        return Bundle(entry=file.name, files=(file,))

    def _bundle_scene(self, case: Case) -> Bundle | None:
        if not case.scene.endswith(".toml"):
            return None
        scene = Path(case.scene)
        where = f"case {case.name!r}, scene {scene.name}"
        return self._bundle(where, scene.parent, scene, [scene, *_files_of_scene(where, scene)])

    def _bundle(self, where: str, folder: Path, entry: Path, files: list[Path]) -> Bundle:
        listed = list(dict.fromkeys(files))
        if len(listed) > MOST_BUNDLE_FILES:
            raise MatrixError(f"{where}: {len(listed)} files; at most {MOST_BUNDLE_FILES} can be sent to a fleet")
        named = [
            self._file(where, file).model_copy(update={"name": file.relative_to(folder).as_posix()}) for file in listed
        ]
        try:
            return Bundle.model_validate(Bundle(entry=entry.name, files=tuple(named)).model_dump())
        except ValueError as error:
            raise MatrixError(f"{where}: a file has a name that cannot be sent to other systems") from error

    def _file(self, where: str, path: Path) -> BundleFile:
        if path not in self._known:
            try:
                digest, size = content_digest(path), path.stat().st_size
            except OSError as error:
                raise MatrixError(f"{where}: cannot read {path}: {describe_os_error(error)}") from error
            if size > MOST_FILE_BYTES:
                raise MatrixError(
                    f"{where}: {path} has {format_bytes(size)}; at most {format_bytes(MOST_FILE_BYTES)} are sent"
                )
            self._known[path] = BundleFile(
                name=path.name if _is_plain(path.name) else "file", sha256=digest, size_bytes=size
            )
            self._paths[digest] = path
        return self._known[path]


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._ -]{1,100}", name) is not None and name.strip(". ") != ""


def _files_of_scene(where: str, scene: Path) -> Iterator[Path]:
    """Files that a scene names: every text in it that is the name of one."""
    for text in _texts(parse_toml(read_text(scene, MatrixError), scene, MatrixError)):
        yield from _inside(where, scene.parent, text)


def _texts(value: object) -> Iterator[str]:
    pending = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            pending += list(inner.values())
        elif isinstance(inner, list):
            pending += inner


def _files_of_playlist(where: str, playlist: Path, depth: int = 0) -> Iterator[Path]:
    """Files that an HLS playlist names, and those of the playlists that it names."""
    for line in read_text(playlist, MatrixError).splitlines():
        names = re.findall(r'URI="([^"]*)"', line) if line.startswith("#") else [line.strip()]
        for name in filter(None, names):
            for file in _inside(where, playlist.parent, name):
                yield file
                # A master playlist names media playlists, and those name no further ones.
                if file.suffix.lower() in (".m3u8", ".m3u") and depth == 0:
                    yield from _files_of_playlist(where, file, depth + 1)


def _inside(where: str, folder: Path, name: str) -> Iterator[Path]:
    """The file of that name, if there is one. Raises `MatrixError` for one outside the folder."""
    if "\0" in name or "\n" in name or len(name) > 1000:
        return
    try:
        file = (folder / name).expanduser()
        if not file.is_file():
            return
        inside = file.resolve().relative_to(folder.resolve())
    except (OSError, RuntimeError):
        return  # a text, and no name
    except ValueError:
        raise MatrixError(
            f"{where}: {name} lies outside {folder}, so it cannot be sent to a fleet; move it into that folder"
        ) from None
    yield folder / inside
