"""The order inside the report: what is read, what it amounts to, who is compared, charts, pages, formats."""

from __future__ import annotations

import ast
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[3] / "capbench"
_ORDER = (
    ("report_folder", "palette", "wording"),
    ("aggregate", "rung_rows"),
    ("capacity", "cell_words", "comparisons", "charts"),
    ("page",),
    ("machine_pages",),
    ("history_site",),
    ("formats",),
)
"""From the bottom up; a part may import from its own row and from those before it."""


def _imported(module: Path) -> set[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_the_parts_of_the_report_import_downwards() -> None:
    rank = {part: number for number, row in enumerate(_ORDER) for part in row}
    upward = [
        f"{module.relative_to(_PACKAGE)} imports {name}"
        for module in (_PACKAGE / "report").rglob("*.py")
        if module != _PACKAGE / "report" / "__init__.py"  # the lazy face names the page
        for name in _imported(module)
        if name.startswith("capbench.report.")
        and rank[name.split(".")[2]] > rank[module.relative_to(_PACKAGE / "report").parts[0].removesuffix(".py")]
    ]

    assert not upward


def test_every_part_of_the_report_has_a_place() -> None:
    parts = {
        path.stem for path in (_PACKAGE / "report").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert parts - {"__init__"} == {part for row in _ORDER for part in row}


def test_the_gate_never_imports_the_report() -> None:
    asked = [
        f"{module.relative_to(_PACKAGE)} imports {name}"
        for module in (_PACKAGE / "gate").rglob("*.py")
        for name in _imported(module)
        if name.startswith("capbench.report")
    ]

    assert not asked


def test_csv_json_and_terminal_tables_are_written_in_one_place_each() -> None:
    """Escaping is as good as the module that forgets it."""
    homes = {
        "csv": {"report/formats/csv_text.py", "quality/worst_frames.py"},
        "rich.table": {"report/formats/terminal_table.py", "harness/run/progress.py"},
        "rich.table.Table": {
            *("report/formats/terminal_table.py", "harness/run/progress.py", "fleet/dispatch/fleet_progress.py"),
            # Types of what others made.
            *("report/formats/gate_tables.py", "cli/selftest.py", "cli/doctor.py", "cli/validate.py"),
            *("cli/measure/check.py", "cli/publish/pool.py", "report/formats/machine_tables.py"),
        },
    }
    for library, allowed in homes.items():
        users = {str(module.relative_to(_PACKAGE)) for module in _PACKAGE.rglob("*.py") if library in _imported(module)}
        assert users <= allowed, library
