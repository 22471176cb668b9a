"""The public face: what `import capbench` offers, and what it does not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import capbench

_NO_MEMBERS = {"__version__", "errors"}
"""Public names that no module defines."""


def _typed_homes() -> dict[str, str]:
    """Name to module, as the imports say that only a type checker reads."""
    tree = ast.parse(Path(capbench.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_the_export_list_is_what_can_be_found() -> None:
    assert set(capbench.__all__) == set(capbench._HOMES) | _NO_MEMBERS
    assert dir(capbench) == sorted(capbench.__all__)


def test_type_checkers_find_the_names_where_they_really_are() -> None:
    assert _typed_homes() == {**capbench._HOMES, "errors": "capbench"}


@pytest.mark.parametrize("name", capbench.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from capbench import {name}", namespace)

    assert namespace[name] is not None


def test_the_version_is_the_installed_one() -> None:
    assert capbench.__version__ == version("capbench")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'capbench' has no attribute 'exprot'"):
        _ = capbench.exprot  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import capbench", {"av", "wgpu", "numpy", "pandas", "pydantic", "matplotlib", "skimage", "typer"}),
        ("import capbench.cli", {"av", "wgpu", "pandas", "matplotlib", "skimage", "scipy"}),
        ("import capbench.quality.validate", {"wgpu", "pandas", "matplotlib", "scipy.signal", "scipy.optimize"}),
        ("import capbench.report.page.write_page", {"av", "wgpu", "skimage", "scipy.stats", "scipy.signal"}),
    ],
)
def test_importing_it_loads_nothing_heavy(statement: str, absent: set[str]) -> None:
    """`capbench --help` must answer at once, and a subject's process must start without a GPU library.

    Effects are found with parts of SciPy that take longer to load than a second of 720p to compare, and a page of a
    verdict needs neither all of SciPy's distributions nor its filters.
    """
    script = f"import sys; {statement}; print(*sorted({absent!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout == "\n"


def test_nothing_is_loaded_before_the_program_handles_signals() -> None:
    """Until then a signal ends it by Python's own handlers, with another exit code than 130."""
    script = (
        "import sys; before = set(sys.modules); import capbench.__main__; print(*sorted(set(sys.modules) - before))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout == "capbench capbench.__main__\n"
