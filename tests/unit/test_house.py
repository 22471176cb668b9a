"""The house: names that stand once, folders that can be taken in at a glance, and the way down inside each package."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[2] / "capbench"

_NAMED_AFTER_SOMETHING_ELSE = ("cli", "specimens")
"""`cli` names a module after its verb, `selftest/specimens` after what it plants: both stand elsewhere too."""
_MOST_MODULES = 14
"""More than a reader takes in at a glance."""
_FEWEST_MODULES = 3
"""Fewer are no subject of their own. A folder that holds nothing but folders is none of modules."""

_ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "pipeline": (
        ("scene", "threads", "decode"),
        ("gpu", "encode"),
        ("compositor",),
        ("conversion",),
        ("job",),
        ("recorder", "memory_plan", "contact_sheet", "normalise_footage"),
        ("render",),
        ("stage_bodies",),
        ("stage_graph",),
        ("export",),
    ),
    "harness": (("machine", "matrix"), ("process",), ("worker",), ("run",)),
    "quality": (
        ("reading", "oracle"),
        ("measurements", "expectation"),
        ("metrics",),
        ("truth", "effects"),
        ("worst_frames", "opened_pair", "clip_evidence", "added_frames"),
        ("parts",),
        ("inspection",),
        ("look_inspection",),
        ("checks", "saved_frames"),
        ("validate",),
    ),
    "gate": (
        ("judged_metrics", "failure_evidence"),
        ("statistics", "gate_file", "curves"),
        ("verdicts",),
        ("history", "rule_coverage", "ladder_costs"),
        ("compare",),
        ("calibration",),
        ("over_machines",),
        ("sequential", "slice_advice"),
        ("compare_targets",),
    ),
    "report": (
        ("report_folder", "palette", "wording"),
        ("aggregate", "rung_rows"),
        ("comparisons", "charts", "cell_words", "capacity"),
        ("page",),
        ("history_site", "machine_pages"),
        ("formats",),
    ),
}
"""Inside each package, from the bottom up: a room may use its own floor and those below."""


@cache
def _modules() -> tuple[Path, ...]:
    return tuple(sorted(path for path in _PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")))


def _packages() -> list[Path]:
    return sorted(path.parent for path in _PACKAGE.rglob("__init__.py"))


def _is_free(path: Path) -> bool:
    return any(part in _NAMED_AFTER_SOMETHING_ELSE for part in path.relative_to(_PACKAGE).parts)


def _twice(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in found.items() if len(places) > 1}


def test_no_module_or_package_name_stands_twice() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for module in _modules():
        if not _is_free(module):
            found[module.stem].append(str(module.relative_to(_PACKAGE)))
    for package in _packages():
        if package != _PACKAGE:
            found[package.name].append(f"{package.relative_to(_PACKAGE)}/")

    assert not _twice(found)


def test_no_public_class_name_stands_twice() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for module in _modules():
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(module.relative_to(_PACKAGE)))

    assert not _twice(found)


@pytest.mark.parametrize("package", _packages(), ids=lambda path: str(path.relative_to(_PACKAGE.parent)))
def test_a_folder_holds_one_subject(package: Path) -> None:
    modules = [path for path in package.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    has_folders = any((path / "__init__.py").exists() for path in package.iterdir() if path.is_dir())

    assert len(modules) <= _MOST_MODULES
    assert len(modules) >= _FEWEST_MODULES or has_folders


@pytest.mark.parametrize("package", _packages(), ids=lambda path: str(path.relative_to(_PACKAGE.parent)))
def test_a_package_says_what_lives_there(package: Path) -> None:
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))


def _room(dotted: str) -> str:
    """The module or folder directly inside a package: `capbench.gate.verdicts.drift` stands in `verdicts`."""
    return dotted.split(".")[2]


def _ranks(package: str) -> dict[str, int]:
    return {room: floor for floor, rooms in enumerate(_ORDER[package]) for room in rooms}


@pytest.mark.parametrize("package", sorted(_ORDER))
def test_every_room_has_a_floor(package: str) -> None:
    folder = _PACKAGE / package
    rooms = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}

    assert rooms - {"__init__", "__main__"} == set(_ranks(package))


@pytest.mark.parametrize("package", sorted(_ORDER))
def test_imports_inside_a_package_point_down(package: str) -> None:
    ranks, upward = _ranks(package), []
    for module in _modules():
        inside = module.relative_to(_PACKAGE)
        if inside.parts[0] != package:
            continue
        own = inside.with_suffix("").parts[1]
        targets = _targets(module, package)
        upward += [f"{inside} imports {target}" for target in targets if ranks[target] > ranks[own]]

    assert not upward


@pytest.mark.parametrize("package", sorted(_ORDER))
def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle(package: str) -> None:
    edges = {
        (inside.with_suffix("").parts[1], target)
        for module in _modules()
        if (inside := module.relative_to(_PACKAGE)).parts[0] == package
        for target in _targets(module, package)
    }
    remaining = set(_ranks(package))
    while leaves := {room for room in remaining if not any(a == room and b in remaining - {room} for a, b in edges)}:
        remaining -= leaves

    assert not remaining


def _targets(module: Path, package: str) -> set[str]:
    """Rooms of `package` that a module imports, inside functions too; those under `if TYPE_CHECKING` as well."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith(f"capbench.{package}.") and _room(name) in _ranks(package):
                found.add(_room(name))
    return found


def test_the_gate_knows_nothing_of_the_report() -> None:
    """Verdicts are data; how they are shown is nobody's business there. Only the command line joins the two."""
    importing = [
        str(module.relative_to(_PACKAGE))
        for module in _modules()
        if module.relative_to(_PACKAGE).parts[0] == "gate" and "capbench.report" in module.read_text(encoding="utf-8")
    ]

    assert not importing
