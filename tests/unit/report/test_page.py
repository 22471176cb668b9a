"""The page as a file: self-contained, strict, small, honest about what is missing, deaf to what names contain."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from capbench.errors import InputError, OutputError, ResultError
from capbench.report import write_report
from capbench.report.page.index import write_index
from capbench.results.visible_text import visible
from tests.report_simulator import (
    HOSTILE_NAMES,
    STANDARD_CASES,
    STANDARD_SUBJECTS,
    Simulation,
    rename_cases,
    simulate_runs,
    write_simulated_folder,
)

_SMALL = Simulation(cases=STANDARD_CASES[:1], blocks=3, trace_samples=5, picture_size=None)
_URL_ATTRIBUTES = ("src", "href", "action", "data", "srcset", "poster", "xlink:href")


class _Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.code: dict[str, str] = {}
        self._inside = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag if tag in ("style", "script") else self._inside

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.code[self._inside] = data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def words_of(self, tag: str) -> list[str]:
        """The text of every element of that name that holds none of its own kind."""
        found = re.findall(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", self.source, re.DOTALL)
        return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", inner)).split()) for inner in found]

    def urls(self) -> Iterator[str]:
        for _, attributes in self.tags:
            yield from (value for name, value in attributes.items() if name in _URL_ATTRIBUTES)


def _page(tmp_path: Path, simulation: Simulation, name: str = "results") -> _Page:
    folder = write_simulated_folder(tmp_path / name, simulation)
    return _Page(write_report([folder], folder / "index.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself_and_its_policy_admits_nothing_else(tmp_path: Path) -> None:
    page = _page(tmp_path, replace(_SMALL, picture_size=(160, 90)))

    outside = [url for url in page.urls() if not url.startswith(("#", "data:image/", "runs"))]
    assert outside == []
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in page.tags if "style" in attributes]


def test_the_first_screen_has_the_verdict_and_where_it_was_measured(tmp_path: Path) -> None:
    page = _page(tmp_path, replace(_SMALL, blocks=8))

    assert re.search(r"gpu exports 1080p-1min in 4\d% less time than cpu \[\d+, \d+\]%, quality unchanged", page.text)
    assert "Drawn by NVIDIA GeForce RTX 4070, driver 550.54 (Vulkan), on AMD Ryzen 9 7950X" in page.text
    assert "Software times" not in page.text
    assert "capbench run standard --blocks 8" in page.text


def test_a_software_adapter_gets_a_banner_and_its_times_another_name(tmp_path: Path) -> None:
    page = _page(tmp_path, replace(_SMALL, adapter="llvmpipe (LLVM 19.1)", adapter_is_software=True))

    assert "Software times, not GPU times: llvmpipe (LLVM 19.1) runs on the CPU." in page.text
    assert "Software time" in page.text
    assert "Export time Against" not in page.text


def test_every_figure_leads_to_its_runs_and_every_run_to_its_raw_file(tmp_path: Path) -> None:
    page = _page(tmp_path, _SMALL)

    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    named = {attributes["data-run"] for _, attributes in page.tags if "data-run" in attributes}
    assert len(named) == 9
    assert named <= ids
    assert {url[1:] for url in page.urls() if url.startswith("#run-")} <= ids
    raw = [unquote(url) for url in page.urls() if url.endswith(".json")]
    assert len(raw) == 9
    assert all((tmp_path / "results" / url).is_file() for url in raw)


def test_a_page_that_travels_alone_links_nothing_outside_itself(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)

    source = write_report([folder], tmp_path / "elsewhere" / "page.html", alone=True).read_text(encoding="utf-8")

    assert [url for url in _Page(source).urls() if not url.startswith(("#", "data:"))] == []
    assert str(tmp_path) not in source


def test_identifiers_are_unique(tmp_path: Path) -> None:
    page = _page(tmp_path, replace(_SMALL, cases=STANDARD_CASES[:2], blocks=2, picture_size=(160, 90)))

    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_names_come_out_as_text(tmp_path: Path) -> None:
    cases = replace(_SMALL, cases=STANDARD_CASES[:2], blocks=2, seed=3, picture_size=(120, 68))
    subjects = tuple(replace(STANDARD_SUBJECTS[1], name=name) for name in HOSTILE_NAMES)
    hostile = replace(
        rename_cases(cases, (HOSTILE_NAMES[0], HOSTILE_NAMES[4])),
        subjects=subjects,
        adapter=HOSTILE_NAMES[0],
        revision=HOSTILE_NAMES[1],
        failing={(HOSTILE_NAMES[4], HOSTILE_NAMES[3]): HOSTILE_NAMES[0]},
    )

    folder = write_simulated_folder(tmp_path / "<img src=x onerror=alert(1)>", hostile)
    source = write_report([folder], folder / "index.html").read_text(encoding="utf-8")
    page = _Page(source)

    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    for name in (HOSTILE_NAMES[0], HOSTILE_NAMES[1], visible(HOSTILE_NAMES[3])):
        assert name in " ".join(page.words)
    assert "\u202e" not in source
    assert "{label 0} {{ 7*7 }} {% raw %}" in page.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blocks": 0}, ["Nothing was measured: no block has a run", "No block has a run yet"]),
        (
            {"failing": {("1080p-1min", name): "the encoder died" for name in ("floor", "cpu", "gpu")}},
            ["Nothing was measured: no run finished, 9 failed", "gpu never finished: the encoder died"],
        ),
        (
            {"failing": {("1080p-1min", "gpu"): "device lost"}},
            ["all 3 failed: device lost", "gpu failed 3 times at 1080p-1min: device lost"],
        ),
        ({"blocks": 1}, ["Only one block was run", "one run"]),
        ({"subjects": STANDARD_SUBJECTS[:1]}, ["nothing was compared", "No output of this case was validated"]),
        ({"subjects": STANDARD_SUBJECTS[1:]}, ["gpu exports 1080p-1min"]),
    ],
    ids=["no run", "all failed", "one subject failed", "one block", "floor only", "no floor"],
)
def test_the_page_says_plainly_what_is_known(tmp_path: Path, change: dict[str, object], words: list[str]) -> None:
    page = _page(tmp_path, replace(_SMALL, **change))  # type: ignore[arg-type]  # fields of one dataclass

    missing = [phrase for phrase in words if phrase not in page.text]
    assert missing == []


def test_one_case_of_three_subjects_without_pictures_fits_2_mb(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, blocks=30, trace_samples=600))

    page = write_report([folder], folder / "index.html", picture_bytes=0)

    assert page.stat().st_size < 2_000_000


def test_a_commands_long_message_does_not_become_the_heading(tmp_path: Path) -> None:
    message = "\n".join(f"[libx264 @ 0x5581] line {number} of what the command wrote to stderr" for number in range(40))
    simulation = replace(_SMALL, failing={("1080p-1min", "gpu"): message})

    page = _page(tmp_path, simulation)

    (heading,) = page.words_of("h1")
    assert "gpu" in heading
    assert len(heading) < 250
    assert max(map(len, page.words_of("td"))) < 250


def test_every_card_has_its_verdict_and_names_its_base(tmp_path: Path) -> None:
    page = _page(tmp_path, replace(_SMALL, blocks=8))

    cards = page.words_of("li")[:4]
    for card in cards:
        assert re.search(r"(better|same|worse|undecided|invalid)", card)
        assert "gpu against cpu" in card


def test_missing_metrics_are_dashes_with_their_reason(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)
    for file in (folder / "runs").glob("*gpu*.json"):
        run = json.loads(file.read_text(encoding="utf-8"))
        run |= {"wall_s": None, "validation": None, "stages": {}, "trace": [], "latency": None, "readback_bytes": None}
        run["unmeasured"] = {"wall_s": "the clock was lost"}
        file.write_text(json.dumps(run), encoding="utf-8")

    page = _Page(write_report([folder], folder / "index.html").read_text(encoding="utf-8"))

    assert "gpu: wall_s: the clock was lost" in page.text
    assert "not validated" in page.text


def test_mixed_machines_are_named(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)
    file = next((folder / "runs").glob("*gpu*.json"))
    run = json.loads(file.read_text(encoding="utf-8")) | {"fingerprint": "another-machine"}
    file.write_text(json.dumps(run), encoding="utf-8")

    page = _Page(write_report([folder], folder / "index.html").read_text(encoding="utf-8"))

    assert "The runs come from 2 machines" in page.text
    assert "another-machine" in page.text


def test_damaged_and_missing_files_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)
    (folder / "matrix.json").unlink()
    (folder / "environment.json").write_text("{", encoding="utf-8")
    (folder / "runs" / "half.json").write_text('{"case": ', encoding="utf-8")

    page = _Page(write_report([folder], folder / "index.html").read_text(encoding="utf-8"))

    for words in ("matrix.json is missing", "environment.json was left out", "runs/half.json was left out"):
        assert words in page.text
    assert "gpu exports 1080p-1min" in page.text


def test_500_runs_stay_readable_and_small(tmp_path: Path) -> None:
    simulation = replace(_SMALL, blocks=167, trace_samples=0)

    page = _page(tmp_path, simulation)

    assert "501 measured runs" in page.text
    assert (tmp_path / "results" / "index.html").stat().st_size < 2_000_000


def test_the_standard_matrix_fits_5_mb_and_renders_in_seconds(tmp_path: Path) -> None:
    """Four cases, three subjects, ten blocks, pictures of the worst frames."""
    folder = write_simulated_folder(tmp_path / "results", Simulation(picture_size=(640, 360), trace_samples=300))

    start_s = time.monotonic()
    page = write_report([folder], folder / "index.html")
    took_s = time.monotonic() - start_s

    assert page.stat().st_size < 5_000_000
    assert took_s < 60  # about 5 s on an idle core; the limit allows for a machine that others use


def test_the_page_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)

    first = write_report([folder], folder / "index.html").read_bytes()

    assert write_report([folder], folder / "index.html").read_bytes() == first


def test_several_folders_show_a_trend_that_does_not_join_machines(tmp_path: Path) -> None:
    folders = [
        write_simulated_folder(
            tmp_path / name, replace(_SMALL, seed=seed, revision=name * 7, started_at=when, fingerprint=machine)
        )
        for name, seed, when, machine in (
            ("c", 3, "2026-01-03T00:00:00Z", "other"),
            ("a", 1, "2026-01-01T00:00:00Z", "one"),
            ("b", 2, "2026-01-02T00:00:00Z", "one"),
        )
    ]

    page = _Page(write_report(folders, tmp_path / "report.html").read_text(encoding="utf-8"))

    assert "Trend over 3 folders" in page.text
    assert "The machine changes at ccccccc (one to other)" in page.text
    assert "c is not compared: no earlier folder" in page.text
    order = [page.text.index(f" {label} 2026-01") for label in ("aaaaaaa", "bbbbbbb", "ccccccc")]
    assert order == sorted(order)
    assert "revision ccccccc" in page.text  # the newest folder is the one shown in full


def test_a_step_over_revisions_is_marked_and_put_into_words(tmp_path: Path) -> None:
    """Gpu loses 40% from the sixth of ten revisions on; nothing else changes."""
    folders = [
        write_simulated_folder(
            tmp_path / f"{number}",
            replace(
                _SMALL,
                blocks=5,
                trace_samples=0,
                seed=number,
                revision=f"revision{number}",
                started_at=f"2026-01-{number + 1:02d}T00:00:00Z",
                slowdown={"gpu": 1.4} if number >= 5 else {},
            ),
        )
        for number in range(10)
    ]

    page = _Page(write_report(folders, tmp_path / "report.html").read_text(encoding="utf-8"))

    assert "9 against 8 , each subject with itself: " in page.text
    found = re.findall(r"1080p-1min: export time of (\S+) has a step at (\S+): (\d+)", page.text)
    assert [(subject, place) for subject, place, _ in found] == [("gpu", "revision5")]
    assert 35 <= int(found[0][2]) <= 45


def test_the_index_lists_every_folder_and_why_one_cannot_be_read(tmp_path: Path) -> None:
    place = tmp_path / "reports"
    for name in ("2026-01-01", "2026-01-02"):
        write_simulated_folder(place / name, _SMALL)
    write_report([place / "2026-01-02"], place / "2026-01-02" / "index.html")
    newer = place / "2026-01-03"
    (newer / "runs").mkdir(parents=True)
    run = simulate_runs(_SMALL)[0].model_copy(update={"schema_version": 99})
    (newer / "runs" / "x.json").write_text(run.model_dump_json(), encoding="utf-8")

    page = _Page(write_index(place, place / "index.html").read_text(encoding="utf-8"))

    assert page.text.index("2026-01-03") < page.text.index("2026-01-02") < page.text.index("2026-01-01")
    assert "use a newer capbench" in page.text
    assert [url for url in page.urls() if url.endswith(".html")] == ["2026-01-02/index.html"]


def test_what_is_no_result_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="capbench run"):
        write_report([tmp_path / "absent"], tmp_path / "index.html")
    with pytest.raises(ResultError, match="has no runs/"):
        write_report([tmp_path], tmp_path / "index.html")
    with pytest.raises(InputError, match="no result folder was named"):
        write_report([], tmp_path / "index.html")


def test_an_unwritable_page_is_an_output_error(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, blocks=0))
    (tmp_path / "taken").mkdir()

    with pytest.raises(OutputError, match="cannot write the report"):
        write_report([folder], tmp_path / "taken")


def test_patches_of_hdr_have_no_colour_difference(tmp_path: Path) -> None:
    """CIEDE2000 has no meaning for codes of PQ: it is null in the run file."""
    folder = write_simulated_folder(tmp_path / "results", _SMALL)
    for path in (folder / "runs").glob("*.json"):
        run = json.loads(path.read_text(encoding="utf-8"))
        for patch in (run["validation"] or {}).get("patches", ()):
            patch["ciede2000"] = None
        path.write_text(json.dumps(run), encoding="utf-8")

    page = _Page(write_report([folder], folder / "index.html").read_text(encoding="utf-8"))

    assert "Colour patches" in page.text
    assert "None" not in page.text
