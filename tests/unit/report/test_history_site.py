"""The pages of a history: static, strict, complete, and no more than text whatever names and revisions hold."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app
from capbench.errors import InputError, OutputError, ResultError
from capbench.gate.history.series import HistoryEntry, HistoryFigure, entry_of, with_entries
from capbench.report.history_site import arrange_history, write_site
from capbench.report.history_site.arrange_history import file_name
from capbench.report.history_site.commit_links import CommitLinks
from capbench.report.history_site.write_site import write_history_site
from capbench.results.folder import read_folder
from capbench.results.tidy_table import table_of
from tests.gate_runs import noisy
from tests.report_simulator import HOSTILE_NAMES, STANDARD_CASES, Simulation, write_simulated_folder

_GITHUB = CommitLinks.parse("https://github.com/owner/name")
_ON_GITHUB = r"https://github\.com/owner/name/(commit|compare)/[0-9a-f.]+"
_COMMIT = "0123456789abcdef0123456789abcdef012345"


def _entry(
    night: int, wall_s: float, *, case: str = "1080p", subject: str = "gpu", revision: str | None = None
) -> HistoryEntry:
    figures = tuple(
        HistoryFigure(case=case, subject=subject, metric=metric, median=value, low=value, high=value, blocks=5)
        for metric, value in (("wall_s", wall_s), ("output_bytes", 3e6), ("quality.psnr_y.mean", 40.0))
    )
    return HistoryEntry(
        taken_at=f"2026-01-{night + 1:02d}T03:00:00Z",
        folder=f"night-{night}",
        revision=f"{_COMMIT}{night:02d}" if revision is None else revision,
        machine="a",
        figures=figures,
    )


def _nights(**changes: str) -> list[HistoryEntry]:
    """Twenty, slower by 8% from the eleventh on."""
    walls = [*noisy(10, sd=0.01), *noisy(10, ratio=1.08, sd=0.01, seed=2)]
    return [_entry(night, wall, **changes) for night, wall in enumerate(walls)]


class _Links(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.policy = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append(name)
            if name in ("href", "src", "action", "srcset", "xlink:href"):
                self.found.append(value or "")
        self.policy = (
            dict(attrs).get("content") or self.policy
            if ("http-equiv", "Content-Security-Policy") in attrs
            else self.policy
        )


def _pages(folder: Path) -> dict[str, _Links]:
    return {path.name: _Links(path) for path in sorted(folder.glob("*.html"))}


def test_every_link_leads_to_a_page_of_the_site_or_to_a_commit(tmp_path: Path) -> None:
    write_history_site(_nights(), tmp_path / "deep" / "public", links=_GITHUB, results=None)

    pages = _pages(tmp_path / "deep" / "public")
    assert set(pages) == {"index.html", file_name("case", "1080p")}
    for page in pages.values():
        assert page.policy.startswith("default-src 'none'")
        outside = [link for link in page.found if not link.startswith("#") and link not in pages]
        assert all(
            re.fullmatch(r"https://github\.com/owner/name/(commit|compare)/[0-9a-f.]+", link) for link in outside
        )
    commits = {link.rpartition("/")[2] for link in pages[file_name("case", "1080p")].found if "/commit/" in link}
    assert commits == {f"{_COMMIT}{night:02d}" for night in range(20)}


def test_a_step_is_shown_with_both_levels_its_commit_and_the_range(tmp_path: Path) -> None:
    site = write_history_site(_nights(), tmp_path, links=_GITHUB, results=None)

    index = site.index.read_text(encoding="utf-8")
    assert "1 figure changed its level" in index
    assert re.search(r"1\.\d+ s to 1\.\d+ s \([78]\.\d% more\)", index)
    assert f"/compare/{_COMMIT}09...{_COMMIT}10" in index
    assert 'class="chip worse"' in index
    assert index == site.index.read_text(encoding="utf-8")


def test_a_figure_of_which_more_is_better_gets_worse_by_falling(tmp_path: Path) -> None:
    nights = []
    for night in range(12):
        figure = {"case": "c", "subject": "s", "metric": "quality.psnr_y.mean", "blocks": 5}
        value = 40.0 if night < 6 else 39.0
        taken = _entry(night, 1.0)
        figures = (HistoryFigure(median=value, low=value, high=value, **figure),)
        nights.append(taken.model_copy(update={"figures": figures}))

    index = write_history_site(nights, tmp_path, links=CommitLinks(), results=None).index.read_text(encoding="utf-8")

    assert 'class="chip worse"' in index
    assert '<a href="http' not in index


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "../../etc/passwd", "", ".", "a\0b", "CON", "\ud800"])
def test_hostile_names_stay_text_and_plain_file_names(name: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    write_history_site(_nights(), plain, links=_GITHUB, results=None)
    expected = sorted({tag for page in _pages(plain).values() for tag in page.tags})
    changed = [
        entry.model_copy(update={"folder": name, "machine": name, "revision": name})
        for entry in _nights(case=name, subject=name)
    ]

    write_history_site(changed, tmp_path / "public", links=_GITHUB, results=tmp_path)

    pages = _pages(tmp_path / "public")
    assert len(pages) == 2
    assert all(re.fullmatch(r"[a-z0-9-]+\.html", page) for page in pages)
    assert {tag for page in pages.values() for tag in page.tags} <= set(expected)
    assert not [attribute for page in pages.values() for attribute in page.attributes if attribute.startswith("on")]
    assert not [link for page in pages.values() for link in page.found if link.startswith("http")]


def test_two_cases_that_look_alike_have_two_pages() -> None:
    assert file_name("case", "a b") != file_name("case", "a-b")


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e308, -1e308])
def test_values_that_cannot_be_drawn_cost_no_page(value: float, tmp_path: Path) -> None:
    entries = [_entry(0, 1.0), _entry(1, value), _entry(2, 1.0)]

    assert write_history_site(entries, tmp_path, links=CommitLinks(), results=None).cases == 1


def test_what_a_file_decides_is_bounded_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrange_history, "MOST_CASES", 2)
    monkeypatch.setattr(write_site, "MOST_CASES", 2)
    monkeypatch.setattr(arrange_history, "MOST_ENTRIES", 3)
    monkeypatch.setattr(arrange_history, "MOST_FIGURES", 1)
    entries = [_entry(night, 1.0, case=case) for case in "abc" for night in range(5)]

    site = write_history_site(sorted(entries, key=lambda e: e.key), tmp_path, links=CommitLinks(), results=None)

    assert site.cases == 2
    assert "The first 2 of 3 cases" in site.index.read_text(encoding="utf-8")
    page = (tmp_path / file_name("case", "a")).read_text(encoding="utf-8")
    assert "The newest 3 of 5 measurements" in page
    assert "The first 1 of 3." in page


def test_the_report_of_a_folder_that_is_there_is_part_of_the_site(tmp_path: Path) -> None:
    simulation = Simulation(cases=STANDARD_CASES[:1], blocks=2, trace_samples=3, picture_size=None)
    folder = write_simulated_folder(tmp_path / "reports" / "one", simulation)
    entry = entry_of(table_of([read_folder(folder)]), "one")
    earlier = entry.model_copy(update={"taken_at": "2020-01-01T00:00:00Z"})

    site = write_history_site([earlier, entry], tmp_path / "public", links=CommitLinks(), results=folder.parent)

    (page,) = [page for name, page in _pages(tmp_path / "public").items() if name.startswith("case-")]
    (report,) = [link for link in page.found if link.startswith("report-")]
    assert site.reports == 1
    assert (tmp_path / "public" / unquote(report)).is_file()
    assert not [link for link in _Links(tmp_path / "public" / report).found if link.startswith("runs")]


@pytest.mark.parametrize("folder", ["../outside", "/etc", "..", ""])
def test_no_folder_outside_the_results_is_published(folder: str, tmp_path: Path) -> None:
    simulation = Simulation(cases=STANDARD_CASES[:1], blocks=2, trace_samples=3, picture_size=None)
    outside = write_simulated_folder(tmp_path / "outside", simulation)
    entry = entry_of(table_of([read_folder(outside)]), folder)
    (tmp_path / "reports").mkdir()

    site = write_history_site([entry], tmp_path / "public", links=CommitLinks(), results=tmp_path / "reports")

    assert site.reports == 0


@pytest.mark.parametrize(
    ("repository", "commit", "between"),
    [
        (
            "https://github.com/o/n",
            "https://github.com/o/n/commit/abcdef0",
            "https://github.com/o/n/compare/abcdef0...1234567",
        ),
        ("https://github.com/o/n.git/", "https://github.com/o/n.git/commit/abcdef0", None),
        ("https://gitlab.com/g/s/n", "https://gitlab.com/g/s/n/-/commit/abcdef0", None),
        ("https://gitlab.example.org/n/", "https://gitlab.example.org/n/-/commit/abcdef0", None),
        ("https://bitbucket.org/o/n", "https://bitbucket.org/o/n/commits/abcdef0", ""),
        ("https://git.example.org/n/c/?id={revision}", "https://git.example.org/n/c/?id=abcdef0", ""),
    ],
)
def test_commits_are_linked_as_each_host_has_them(repository: str, commit: str, between: str | None) -> None:
    links = CommitLinks.parse(repository)

    assert links.commit("abcdef0+dirty").replace(".git/", "/") == commit.replace(".git/", "/")
    assert links.commit("main") == links.commit(None) == links.commit("../../x") == ""
    if between is not None:
        assert links.between("abcdef0", "1234567") == between


@pytest.mark.parametrize(
    "repository",
    [
        *(
            "",
            "github.com/o/n",
            "javascript:alert(1)",
            "https://",
            "https://a b/c",
            'https://x/"><script>',
            "https://[x/n",
        ),
        *("https://user:secret@example.org/n", "https://token@example.org/n", "file:///etc/passwd"),
    ],
)
def test_a_repository_that_is_no_plain_web_address_is_refused(repository: str) -> None:
    with pytest.raises(InputError) as refused:
        CommitLinks.parse(repository)

    assert "secret" not in str(refused.value)


def test_an_empty_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no entry"):
        write_history_site([], tmp_path / "public", links=CommitLinks(), results=None)
    bare = _entry(0, 1.0).model_copy(update={"figures": ()})
    with pytest.raises(ResultError, match="figure"):
        write_history_site([bare], tmp_path / "public", links=CommitLinks(), results=None)

    assert not (tmp_path / "public").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")

    with pytest.raises(OutputError, match="public"):
        write_history_site(_nights(), tmp_path / "public", links=CommitLinks(), results=None)


def test_the_verb_writes_the_site_and_explains_what_is_missing(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    with_entries(history, _nights())

    def run(*options: str) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["history", "site", *options])
        return ended.exit_code, ended.output

    assert run("-o", str(tmp_path / "public"), "--history", str(history)) == (
        0,
        f"{tmp_path / 'public' / 'index.html'} (cases: 1, entries: 20, reports: 0)\n",
    )
    code, words = run("-o", str(tmp_path / "public"), "--history", str(tmp_path / "none.jsonl"))
    assert (code, "capbench history add" in words) == (2, True)
    code, words = run("-o", str(history), "--history", str(history))
    assert (code, os.fspath(history) in words) == (2, True)
    assert run("-o", str(tmp_path / "p"), "--history", str(history), "--results", str(tmp_path / "no"))[0] == 2
    assert run("-o", str(tmp_path / "p"), "--history", str(history), "--repository-url", "x")[0] == 2
    assert run("--history", str(history))[0] == 2
