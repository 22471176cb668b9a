"""The layers of CONTRIBUTING.md, read from the imports themselves, and the other rules about a module's form."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGE = _REPOSITORY / "capbench"

_VALUES = (
    "errors",
    "units",
    "colour",
    "bitstream",
    "cgroup",
    "files",
    "installation",
    "malloc_arenas",
    "resources",
    "results",
    "unknown_names",
)
_LAYERS = (
    _VALUES,
    ("pipeline", "recordings"),
    ("harness", "quality"),
    ("report", "gate", "selftest", "doctor", "fleet"),
    ("cli",),
)
"""From the bottom up; a part may import from its own layer and from those before it."""
_FACES = ("__init__", "__main__")
"""The public face: lazy, so free to name anything."""

_LONGEST_MODULE_LINES = 400
"""A module is one idea; beyond this it is usually two (shared style)."""


@dataclass(frozen=True, slots=True)
class _Import:
    """One import statement."""

    module: Path
    line: int
    target: str
    """Dotted name, absolute; for `from a import b` it is `a.b`."""
    is_typing_only: bool
    """Whether it stands under `if TYPE_CHECKING`."""

    def __str__(self) -> str:
        return f"{self.module.relative_to(_REPOSITORY)}:{self.line} imports {self.target}"


def _modules() -> list[Path]:
    return sorted(_PACKAGE.rglob("*.py"))


def _part(module: Path) -> str:
    """The folder or module directly under `capbench/` that a file belongs to."""
    return module.relative_to(_PACKAGE).parts[0].removesuffix(".py")


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}: layers are read from absolute ones"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


@cache
def _imports() -> tuple[_Import, ...]:
    """Every import of the package, those inside functions too."""
    return tuple(found for module in _modules() for found in _imports_of(module, module.read_text(encoding="utf-8")))


def _imports_of(module: Path, source: str) -> Iterator[_Import]:
    tree = ast.parse(source, filename=str(module))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            for target in _names(node):
                yield _Import(module, node.lineno, target, is_typing_only=node in typing_only)


def _target_part(found: _Import) -> str | None:
    """The part of capbench that is imported; None for other packages and for `from capbench import load`."""
    parts = found.target.split(".")
    known = {part for layer in _LAYERS for part in layer}
    return parts[1] if parts[0] == "capbench" and len(parts) > 1 and parts[1] in known else None


def test_every_part_of_the_package_has_a_layer() -> None:
    parts = {_part(module) for module in _modules()} - set(_FACES)

    assert parts <= {part for layer in _LAYERS for part in layer}


def test_contributing_names_every_part() -> None:
    text = (_REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    unnamed = [
        part
        for layer in _LAYERS
        for part in layer
        if not any(
            form in text for form in (f"`capbench/{part}/`", f"`capbench/{part}.py`", f"`{part}.py`", f"`{part}/`")
        )
    ]

    assert not unnamed


def test_imports_point_down() -> None:
    rank = {part: number for number, layer in enumerate(_LAYERS) for part in layer}
    upward = [
        str(found)
        for found in _imports()
        if (target := _target_part(found)) is not None
        and _part(found.module) not in _FACES
        and rank[target] > rank[_part(found.module)]
    ]

    assert not upward


def test_no_two_parts_import_each_other() -> None:
    """Within a layer the order is free, but it must be an order."""
    edges = {
        (_part(found.module), target)
        for found in _imports()
        if (target := _target_part(found)) is not None and target != _part(found.module) and not found.is_typing_only
    }
    remaining = {part for layer in _LAYERS for part in layer}
    while leaves := {part for part in remaining if not any(a == part and b in remaining for a, b in edges)}:
        remaining -= leaves

    assert not remaining, f"these import each other in a circle: {sorted(remaining)}"


def test_the_harness_does_not_share_a_process_with_what_it_measures() -> None:
    """Neither wgpu nor av nor the pipeline, not even inside a function; the worker is the measured process itself."""
    outside = [
        str(found)
        for found in _imports()
        if _part(found.module) == "harness"
        and found.module != _PACKAGE / "harness" / "worker" / "__main__.py"
        and not found.is_typing_only
        and (found.target.split(".")[0] in {"wgpu", "av"} or _target_part(found) in {"pipeline", "quality"})
    ]

    assert not outside


def test_importing_the_harness_loads_no_codec_and_no_gpu_library() -> None:
    """What the rule above cannot see: an import by way of another part."""
    script = "import sys, capbench.harness; print(sorted({'av', 'wgpu'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("module", _modules(), ids=lambda path: str(path.relative_to(_REPOSITORY)))
def test_a_module_says_what_it_is_and_stays_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(source)), "no module docstring"
    assert source.count("\n") <= _LONGEST_MODULE_LINES


def test_the_reader_of_imports_sees_what_the_rules_are_about() -> None:
    source = (
        "import av\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from capbench.quality import x\n"
        "def f():\n    from capbench.pipeline.gpu.device import open_device\n"
    )

    seen = {
        (found.target, found.line, found.is_typing_only) for found in _imports_of(_PACKAGE / "harness/a.py", source)
    }

    assert seen == {
        ("av", 1, False),
        ("typing.TYPE_CHECKING", 2, False),
        ("capbench.quality.x", 4, True),
        ("capbench.pipeline.gpu.device.open_device", 6, False),
    }
