"""Where shaders and matrices lie, and how a shader is put together.

They lie beside the package in a checkout, inside it in an installed wheel. WGSL has no include: a line `#import NAME`
stands for the text of `shaders/shared/NAME.wgsl`, once in a shader however often it is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capbench.errors import ShaderError

__all__ = ["ShaderSource", "matrix_folder", "shader_source", "shaders_folder"]

_PACKAGE = Path(__file__).resolve().parent
_DIRECTIVE = re.compile(r"\s*#import\b(?P<name>[^/]*)(//.*)?$")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NO_CONSTANTS: Mapping[str, str] = {}


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def shaders_folder() -> Path:
    """Folder of the `.wgsl` files, one a pass; what passes share lies in its folder `shared`."""
    return _folder("shaders")


def matrix_folder() -> Path:
    """Folder of the shipped matrix, scene and gate files."""
    return _folder("matrix")


@dataclass(frozen=True, slots=True)
class ShaderSource:
    """A shader with everything that it imports."""

    name: str
    """The file that it starts from, without suffix."""
    text: str
    """WGSL as the driver gets it."""
    origins: tuple[tuple[str, int], ...]
    """For each line of `text` the file that it comes from, and its line there, from 1."""

    def origin(self, line: int) -> str:
        """`FILE:LINE` of a line of `text`, from 1."""
        file, number = self.origins[line - 1]
        return f"{file}:{number}"

    def workgroup_size(self, entry_point: str) -> tuple[int, int]:
        """Invocations across and down a workgroup of an entry point. Raises `ShaderError` where it states none."""
        found = re.search(rf"@compute\s+@workgroup_size\((\d+),\s*(\d+)\)\s+fn\s+{entry_point}\(", self.text)
        if found is None:
            raise ShaderError(f"shader {self.name} has no entry point {entry_point} with @workgroup_size(X, Y)")
        return int(found[1]), int(found[2])

    def constant(self, name: str) -> int:
        """Value of a line `const NAME = 4u;`. Raises `ShaderError` where there is none."""
        found = re.search(rf"^const {name} = (\d+)u?;$", self.text, re.MULTILINE)
        if found is None:
            raise ShaderError(f"shader {self.name} has no integer constant {name}")
        return int(found[1])


def shader_source(
    name: str, generated: Mapping[str, str] = _NO_CONSTANTS, *, folder: Path | None = None
) -> ShaderSource:
    """The shader `shaders/NAME.wgsl` with its imports in place.

    `generated` has text by name that is made when the program runs, imported as files are. `folder` stands for
    `shaders_folder()`. Raises `ShaderError` with file and line for an import that is unknown, circular or malformed.
    """
    composer = _Composer(shaders_folder() if folder is None else folder, generated)
    composer.add_file(f"{name}.wgsl", f"shader {name}")
    return ShaderSource(name, "\n".join(composer.lines) + "\n", tuple(composer.origins))


class _Composer:
    """Gathers the lines of one shader, depth first."""

    def __init__(self, folder: Path, generated: Mapping[str, str]) -> None:
        self._folder = folder
        self._generated = generated
        self._imported: set[str] = set()
        self._open: list[str] = []
        """Names of the imports that lead to the present file."""
        self.lines: list[str] = []
        self.origins: list[tuple[str, int]] = []

    def add_file(self, path: str, wanted_by: str) -> None:
        try:
            text = (self._folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ShaderError(f"{wanted_by}: cannot read {self._folder / path}: {error}") from error
        self._add_text(f"{self._folder.name}/{path}", text)

    def _add_text(self, label: str, text: str) -> None:
        for number, line in enumerate(text.splitlines(), start=1):
            if (directive := _DIRECTIVE.match(line)) is not None:
                self._add_import(directive["name"].strip(), f"{label}:{number}")
            else:
                self.lines.append(line)
                self.origins.append((label, number))

    def _add_import(self, name: str, place: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise ShaderError(f"{place}: cannot import {name!r}; write #import and the name of one shared file")
        if name in self._open:
            chain = " -> ".join([*self._open[self._open.index(name) :], name])
            raise ShaderError(f"{place}: circular import: {chain}")
        if name in self._imported:
            return
        self._imported.add(name)
        self._open.append(name)
        if name in self._generated:
            self._add_text(f"<{name}>", self._generated[name])
        elif (self._folder / "shared" / f"{name}.wgsl").is_file():
            self.add_file(f"shared/{name}.wgsl", place)
        else:
            known = sorted([*(path.stem for path in (self._folder / "shared").glob("*.wgsl")), *self._generated])
            raise ShaderError(f"{place}: unknown import {name!r}; available: {', '.join(known)}")
        self._open.pop()
