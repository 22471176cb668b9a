"""The documentation as a site: its navigation has every page, and its check sees what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.check_built_site import main, problems

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def _site(folder: Path, body: str) -> list[str]:
    (folder / "sub").mkdir()
    (folder / "index.html").write_text(body, encoding="utf-8")
    (folder / "sub" / "index.html").write_text('<h2 id="here">x</h2>', encoding="utf-8")
    return list(problems(folder))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="sub/index.html#here">x</a><a href="sub/">y</a><a href="https://example.org">z</a><a href="#">t</a>',
        '<link rel="canonical" href="https://example.org/"><img src="data:image/png;base64,AA">',
        '<p id="a">x</p><a href="#a">y</a><a href="mailto:a@example.org">z</a>',
    ],
)
def test_a_whole_site_has_no_problem(body: str, tmp_path: Path) -> None:
    assert _site(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="gone.html">x</a>',
        '<a href="sub/index.html#there">x</a>',
        '<a href="#nowhere">x</a>',
        '<a href="../outside.html">x</a>',
        '<a href="sub/a%20b.html">x</a>',
        '<script src="https://cdn.example/x.js"></script>',
        '<script src="//cdn.example/x.js"></script>',
        '<link rel="preconnect stylesheet" href="https://fonts.example/x.css">',
        '<img src="http://example.org/x.png">',
        '<img src="gone.png">',
    ],
)
def test_what_is_broken_or_comes_from_elsewhere_is_found(body: str, tmp_path: Path) -> None:
    (tmp_path.parent / "outside.html").write_text("")

    (problem,) = set(_site(tmp_path, body))

    assert problem.startswith("index.html ")


def test_the_exit_code_says_whether_it_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 1
    (tmp_path / "index.html").write_text("<p>x</p>")
    assert main(tmp_path) == 0
    assert "0 problems" in capsys.readouterr().out


def test_the_navigation_has_every_page_once_and_no_other() -> None:
    text = (_DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = re.findall(r": (\S+\.md)$", text, re.MULTILINE)
    made = {"python-api.md", *(f"project/{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))}

    pages = {path.name for path in _DOCS.glob("*.md")} | {"recipes/README.md"}
    assert sorted(named) == sorted(pages | made)
