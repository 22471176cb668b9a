"""What the documentation names exists, and its examples are understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from capbench.cli.app import app
from capbench.harness import load_matrix

_REPOSITORY = Path(__file__).resolve().parents[2]
_README = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
_PAGES = sorted([*_REPOSITORY.glob("*.md"), *(_REPOSITORY / "docs").glob("*.md")])


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = (_REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in (_REPOSITORY / "docs").glob("[!R]*.md") if f"({page.name})" not in index] == []


def test_the_readme_names_every_command() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]

    assert [name for name in verbs if f"`capbench {name}" not in _README] == []


def test_the_matrix_of_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("\n".join(re.findall(r"```toml\n(.*?)```", _README, re.DOTALL)))
    (tmp_path / "recording.mp4").touch()

    matrix = load_matrix(tmp_path / "mine.toml")

    assert [case.name for case in matrix.cases] == ["mine"]


def test_the_python_of_the_readme_uses_names_that_exist() -> None:
    import capbench  # the subject of this test

    (example,) = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)
    names = set(re.findall(r"capbench\.(\w+)", example))

    assert names
    assert names <= set(capbench.__all__)


_INSTALLS = re.compile(
    r"(?:pip3?|pipx|uv|uv tool|uvx)\s+(?:install|inject|add|run|tool install)\b.*\bcapbench\b", re.IGNORECASE
)
_NO_INDEX = re.compile(r"https?://|git\+|[./]capbench|capbench/|--no-index")
_TEXTS = ("*.md", "*.py", "*.toml", "*.yml", "*.j2", "*.html", "*.sh")


def _texts() -> list[Path]:
    folders = ("capbench", "docs", "matrix", ".github", ".ci", "shaders")
    found = [path for folder in folders for form in _TEXTS for path in (_REPOSITORY / folder).rglob(form)]
    return [*found, *_REPOSITORY.glob("*.*"), *(_REPOSITORY / ".ci").iterdir()]


def test_nothing_installs_the_name_from_an_index() -> None:
    """The name is not published: whoever registers it would run on users' machines."""
    texts = [path for path in _texts() if path.is_file()]
    lines = [
        f"{path.relative_to(_REPOSITORY)}: {line.strip()}"
        for path in texts
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if _INSTALLS.search(line) and not _NO_INDEX.search(line)
    ]

    assert len(texts) > 300
    assert not lines


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("pip install capbench", True),
        ("python -m pip install 'capbench[nvml]'", True),
        ("pipx install capbench==0.1.0", True),
        ("uv add capbench", True),
        ("python3 -m pip install .", False),
        ("pip install git+https://example.org/capbench", False),
        ("pip install ./capbench", False),
    ],
)
def test_the_search_for_such_lines_finds_them(line: str, *, is_found: bool) -> None:
    assert bool(_INSTALLS.search(line) and not _NO_INDEX.search(line)) is is_found
