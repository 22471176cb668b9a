"""The public face: what `import capbench` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import capbench

_PUBLIC = {
    "CapbenchError",
    "Comparison",
    "EncoderSettings",
    "ExportOptions",
    "ExportReport",
    "FolderContents",
    "GateFile",
    "RunResult",
    "ValidationReport",
    "Verdict",
    "__version__",
    "compare",
    "errors",
    "export",
    "run",
    "validate",
}
"""Changing this set changes what users may rely on: say so in CHANGELOG.md."""


def test_the_export_list_is_what_users_may_rely_on() -> None:
    assert set(capbench.__all__) == _PUBLIC
    assert set(dir(capbench)) == _PUBLIC


@pytest.mark.parametrize("name", sorted(_PUBLIC))
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
    ],
)
def test_importing_it_loads_nothing_heavy(statement: str, absent: set[str]) -> None:
    """`capbench --help` must answer at once, and a subject's process must start without a GPU library."""
    script = f"import sys; {statement}; print(*sorted({absent!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout == "\n"
