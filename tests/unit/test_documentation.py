"""What the documentation names exists, and its examples are understood."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from typer.main import get_command

from capbench.cli.app import app
from capbench.harness import load_matrix
from tests.reference_page import (
    PAGE,
    all_records,
    documented_records,
    environment_variables,
    exit_codes,
    names,
    reference_page,
    verbs,
)

_REPOSITORY = Path(__file__).resolve().parents[2]
_README = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
_CONTRIBUTING = (_REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
_PROJECT_FILE = r"`((?:capbench|tests|shaders|matrix)/[\w/.-]*\w\.\w+)`"
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


def test_the_reference_is_what_the_code_says() -> None:
    """Every verb, option, field and exit code; after a change: `python -m tests.reference_page`."""
    assert PAGE.read_text(encoding="utf-8") == reference_page()


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_option_and_field_says_what_it_is(verb: str) -> None:
    silent = [parameter.name for parameter in verbs()[verb].params if not getattr(parameter, "help", None)]

    assert not silent


def test_no_field_of_the_reference_is_without_a_meaning() -> None:
    assert not re.findall(r"^\| `\w+` \|  \|$", reference_page(), re.MULTILINE)


def test_every_record_is_in_the_reference() -> None:
    """A record of a module that no entry of the page reaches is a file or an output that nobody can look up."""
    assert {record.__qualname__ for record in all_records() - documented_records()} == set()


@pytest.mark.parametrize(("kind", "known"), names().items())
def test_the_design_names_every_stage_path_and_decoder(kind: str, known: tuple[str, ...]) -> None:
    design = _prose(_REPOSITORY / "docs" / "design.md")

    assert [name for name in known if f"`{name}`" not in design] == [], kind


_OTHER_PROGRAMS = {
    "--help": "every command's own",
    "--cap-add": "docker",
    "--media": "tests.bench.clean_study",
    "--journal": "tests.fuzz",
    "--size": "tests.bench.conversion_bandwidth",
    "--table": "tests.bench.part_scaling",
    "--condition": "tests.bench.slice_record",
    "--force-device-scale-factor": "chromium",
    "--headless": "chromium",
    "--hide-scrollbars": "chromium",
    "--screenshot": "chromium",
    "--window-size": "chromium",
    "--pairs": "tests.bench.slice_record",
    "--warmup": "hyperfine",
    "--times": "capbench.pipeline.contact_sheet",
    "--minutes": "tests.strangers",
    "--short": "tests.strangers",
    "--drawn": "tests.strangers",
    "--write-docs": "tests.strangers",
    "--in": "an exporter in an example",
    "--prefix": "npm",
    "--codec": "docs/example_driver/webcodecs.mjs",
    "--gpu": "docs/example_driver/webcodecs.mjs",
    "--bitrate": "docs/example_driver/webcodecs.mjs",
    "--output": "docs/example_driver/webcodecs.mjs",
    "--inputs": "tests.fuzz",
    "--strict": "mypy",
    "--no-config": "mpv",
    "--of": "mpv",
    "--ovc": "mpv",
    "--oac": "mpv",
}
"""Options that the documentation gives to other programs than capbench, with the program."""


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_options_that_the_documentation_names_exist(page: Path) -> None:
    options = [option for verb in verbs().values() for option in verb.params]
    known = {text for option in options for text in (*option.opts, *option.secondary_opts)}
    # Not the double hyphens inside of file names and anchors.
    named = set(re.findall(r"(?<![\w/>#-])--[a-z][a-z-]*[a-z](?![\w*]|[.-]+\w)", page.read_text(encoding="utf-8")))

    assert named - known - set(_OTHER_PROGRAMS) == set()


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_modules_that_the_documentation_starts_exist(page: Path) -> None:
    """`python -m MODULE` of this project has something to run."""
    modules = re.findall(r"python3? -m ((?:capbench|tests)(?:\.\w+)*)", page.read_text(encoding="utf-8"))
    places = {name: _REPOSITORY / name.replace(".", "/") for name in modules if page.name != "CHANGELOG.md"}

    programs = {name: [place.with_suffix(".py"), place / "__main__.py"] for name, place in places.items()}
    assert [name for name, files in programs.items() if not any(map(_can_be_started, files))] == []


def _can_be_started(file: Path) -> bool:
    return file.is_file() and (
        file.stem == "__main__" or 'if __name__ == "__main__"' in file.read_text(encoding="utf-8")
    )


def test_exit_codes_that_the_documentation_names_exist() -> None:
    named = {
        int(code)
        for page in _PAGES
        for code in re.findall(r"[Ee]xit(?:s|s with| with| code)? (\d+)", page.read_text(encoding="utf-8"))
    }

    assert named
    assert named <= set(exit_codes())


def test_the_readme_names_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", _README.partition("## Exit codes")[2], re.MULTILINE)

    assert [int(code) for code in rows] == sorted(exit_codes())


def test_environment_variables_that_the_documentation_names_exist() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in _PAGES)
    named = set(re.findall(r"\bCAP(?:BENCH)?_[A-Z_]+", text))

    assert named - {"CAPBENCH_REQUIRE_GPU", "CAP_SYS_NICE"} == environment_variables()


@pytest.mark.parametrize(
    "page", [page for page in _PAGES if page != PAGE and page.name != "CHANGELOG.md"], ids=lambda page: page.name
)
def test_fields_and_settings_that_the_documentation_names_exist(page: Path) -> None:
    """Names with an underscore in backticks are names in the code: of a field, a key, a placeholder or a file."""
    named = set(re.findall(r"`([a-z]\w*?_\w+)`", _prose(page)))

    clips = {name for name in named if re.search(r"_\d+x\d+$", name)}
    assert named - clips - _words_of_the_code() == set()


def _prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@functools.cache
def _words_of_the_code() -> frozenset[str]:
    folders = ("capbench", "matrix", "shaders", "tests/bench")
    files = [path for folder in folders for path in (_REPOSITORY / folder).rglob("*") if path.suffix in _CODE]
    return frozenset(word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8")))


_CODE = {".py", ".toml", ".wgsl"}


def test_contributing_names_every_session_and_no_other() -> None:
    """Sessions are functions of the noxfile, under the name that their decorator gives them."""
    source = (_REPOSITORY / "noxfile.py").read_text(encoding="utf-8")
    sessions = re.findall(r"^@nox\.session(?:\((?:.*name=\"([\w-]+)\")?.*\))?\ndef (\w+)", source, re.MULTILINE)
    rows = _CONTRIBUTING.partition("| session |")[2].partition("\n\n")[0].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])]

    assert sorted(named) == sorted(given or name for given, name in sessions)


def test_contributing_names_every_top_module() -> None:
    house = _CONTRIBUTING.partition("## The house")[2].partition("Outside the package")[0]
    inside = {path.stem for path in (_REPOSITORY / "capbench").iterdir() if re.fullmatch(r"[a-z]\w*(\.py)?", path.name)}

    assert [name for name in sorted(inside) if not re.search(rf"`(?:capbench/)?{name}(?:/|\.py)`", house)] == []


def test_files_that_the_documentation_names_exist() -> None:
    """Paths of modules, shaders and tests in backticks."""
    missing = [
        f"{page.name}: {path}"
        for page in _PAGES
        if page.name != "CHANGELOG.md"
        for path in re.findall(
            r"`((?:capbench|tests|shaders|matrix)/[\w/.-]*\w\.\w+)`", page.read_text(encoding="utf-8")
        )
        if not (_REPOSITORY / path).exists()
    ]

    assert not missing


def test_the_glossary_is_in_order_and_defines_each_term_once() -> None:
    text = (_REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)[1:]

    assert terms == sorted(set(terms), key=lambda term: re.sub(r"\W", "", term).lower())


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
