"""What a folder's runs amount to: which of them count, and the sentence about them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from capbench.report.aggregate import Cell, cells_of
from capbench.report.comparisons import compare_subjects
from capbench.report.formats.terminal import run_table
from capbench.report.page.all_metrics import arrange_figures
from capbench.report.page.headline import compose_headline, main_case
from capbench.report.page.overview_rows import arrange_rows
from capbench.report.palette import style_subjects
from capbench.report.report_folder import RunFile, read_folder
from capbench.report.wording import MISSING
from capbench.results import Comparison, MetricVerdict, RunResult, RunRole, Verdict
from capbench.results.folder import run_file_name
from tests.report_simulator import STANDARD_CASES, Simulation, simulate_runs, write_simulated_folder

_ONE_CASE = STANDARD_CASES[:1]
_SMALL = Simulation(cases=_ONE_CASE, blocks=4, trace_samples=3, picture_size=None)


def _cell(*runs: RunResult) -> Cell:
    files = tuple(RunFile(run, None, f"run-{number}") for number, run in enumerate(runs))
    return Cell("c", "gpu", files, (), ())


def _verdict(metric: str, verdict: Verdict, *, case: str = "1080p-1min", **fields: object) -> MetricVerdict:
    base = {"case": case, "metric": metric, "base": "cpu", "new": "gpu", "verdict": verdict, "sentence": "why"}
    return MetricVerdict.model_validate(base | fields)


def _comparison(verdict: Verdict, *verdicts: MetricVerdict) -> Comparison:
    return Comparison(base="cpu", new="gpu", verdict=verdict, sentence="all", verdicts=verdicts)


def _add_run(folder: Path, run: RunResult) -> None:
    name = run_file_name(run.case, run.subject, run.role, run.block)
    (folder / "runs" / name).write_text(run.model_dump_json(), encoding="utf-8")


def test_only_finished_runs_of_blocks_by_the_requested_path_count(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", _SMALL)
    run = next(run for run in simulate_runs(_SMALL) if run.subject == "gpu")
    _add_run(folder, run.model_copy(update={"block": -1, "role": RunRole.WARMUP, "wall_s": 1e6}))
    _add_run(folder, run.model_copy(update={"block": 97, "path_used": "cpu", "wall_s": 1e6}))
    _add_run(folder, run.model_copy(update={"block": 98, "error": "it died", "wall_s": 1e6}))

    cell = cells_of(read_folder(folder))[run.case]["gpu"]

    assert [file.run.block for file in cell.measured] == [0, 1, 2, 3]
    assert [file.run.block for file in cell.diverted] == [97]
    assert [file.run.block for file in cell.failed] == [98]
    spread = cell.spread("wall_s")
    assert spread is not None
    assert spread.high < 1e6


def test_cases_and_subjects_come_in_the_order_of_the_plan_the_floor_first(tmp_path: Path) -> None:
    simulation = replace(_SMALL, cases=STANDARD_CASES, subjects=tuple(reversed(_SMALL.subjects)), blocks=1)

    cells = cells_of(read_folder(write_simulated_folder(tmp_path / "results", simulation)))

    assert list(cells) == [case.name for case in STANDARD_CASES]
    assert list(cells["4k-1min"]) == ["floor", "gpu", "cpu"]


def test_the_critic_picks_a_failed_run_before_one_of_lower_quality() -> None:
    good = next(run for run in simulate_runs(_SMALL) if run.subject == "gpu")
    broken = next(
        run for run in simulate_runs(replace(_SMALL, broken_colour=frozenset({"gpu"}))) if run.subject == "gpu"
    )
    assert broken.validation is not None
    better = {name: summary.model_copy(update={"mean": 99.0}) for name, summary in broken.validation.metrics.items()}
    flattered = broken.model_copy(update={"validation": broken.validation.model_copy(update={"metrics": better})})

    picked = _cell(good, flattered).worst_validated()

    assert picked is not None
    assert picked.run is flattered


def test_two_revisions_in_one_folder_are_held_against_each_other(tmp_path: Path) -> None:
    """What `capbench run --against main` leaves: gpu became 20% slower, cpu did not change."""
    floor, cpu, gpu = _SMALL.subjects
    subjects = (floor, cpu, gpu, replace(cpu, name="cpu@main"), replace(gpu, name="gpu@main"))
    simulation = replace(_SMALL, blocks=12, subjects=subjects, slowdown={"gpu": 1.2})
    folder = read_folder(write_simulated_folder(tmp_path / "results", simulation))

    comparisons, problems = compare_subjects(folder)
    headline = compose_headline(comparisons[0], cells_of(folder))

    assert not problems
    assert len(comparisons) == 1
    assert re.match(r"gpu exports 1080p-1min in \d\d% more time than gpu@main \[", headline.sentence)
    assert headline.verdict is Verdict.WORSE
    names = [subject.name for subject in subjects]
    rows = {row.subject: row for row in arrange_rows(cells_of(folder), comparisons, style_subjects(names))}
    assert rows["gpu@main"].effect.words == "baseline"
    assert rows["gpu"].verdict is not None
    assert rows["gpu"].verdict.verdict is Verdict.WORSE


def test_the_largest_picture_speaks_for_the_matrix(tmp_path: Path) -> None:
    folder = write_simulated_folder(tmp_path / "results", replace(_SMALL, cases=STANDARD_CASES, blocks=1))

    assert main_case(cells_of(read_folder(folder))) == "4k-1min"


@pytest.mark.parametrize(
    ("joint", "verdicts", "sentence"),
    [
        (
            Verdict.BETTER,
            [
                _verdict("wall_s", Verdict.BETTER, ratio=0.57, interval=(0.55, 0.59)),
                _verdict("peak_rss_bytes", Verdict.BETTER, ratio=0.39, interval=(0.38, 0.4)),
                _verdict("quality.psnr_y.mean", Verdict.SAME, difference=0.0),
                _verdict("wall_s", Verdict.UNDECIDED, case="other", ratio=0.99),
            ],
            (
                "gpu exports 1080p-1min in 43% less time than cpu [41,\N{NO-BREAK SPACE}45]%, quality unchanged, "
                "memory 61% lower; 1 case undecided"
            ),
        ),
        (
            Verdict.WORSE,
            [
                _verdict("wall_s", Verdict.WORSE, ratio=13.5, interval=(13.1, 13.9)),
                _verdict("quality.psnr_y.mean", Verdict.WORSE, difference=-1.0),
            ],
            (
                "gpu takes 13.5 times as long as cpu to export 1080p-1min [13.1,\N{NO-BREAK SPACE}13.9] times, "
                "quality worse at 1080p-1min"
            ),
        ),
        (
            Verdict.UNDECIDED,
            [
                _verdict(
                    "wall_s",
                    Verdict.UNDECIDED,
                    ratio=0.98,
                    interval=(0.93, 1.03),
                    blocks=5,
                    blocks_needed=7,
                    detectable_ratio=1.08,
                ),
                _verdict("readback_bytes", Verdict.BETTER, ratio=0.375, interval=(0.375, 0.375)),
                _verdict("quality.psnr_y.mean", Verdict.SAME, difference=0.0),
            ],
            (
                "gpu against cpu at 1080p-1min: readback 62.5% less, quality unchanged; time undecided, 2.0% less so "
                "far [\N{MINUS SIGN}7.0,\N{NO-BREAK SPACE}+3.0]%; 5 blocks see a slowdown of 8% or more, "
                "7 more would decide"
            ),
        ),
        (
            Verdict.WORSE,
            [
                _verdict("wall_s", Verdict.UNDECIDED, ratio=1.1, interval=(0.93, 1.3), detectable_ratio=10.0),
                _verdict("readback_bytes", Verdict.BETTER, ratio=0.375, interval=(0.375, 0.375)),
                _verdict("quality.psnr_y.mean", Verdict.WORSE, difference=-1.0),
            ],
            (
                "gpu against cpu at 1080p-1min: quality worse at 1080p-1min; time undecided, 10% more so far "
                "[\N{MINUS SIGN}7,\N{NO-BREAK SPACE}+30]%"
            ),
        ),
        (
            Verdict.UNDECIDED,
            [_verdict("wall_s", Verdict.UNDECIDED, ratio=0.53, interval=(0.44, 0.64))],
            (
                "gpu against cpu at 1080p-1min: quality not judged; time undecided, 47% less so far "
                "[36,\N{NO-BREAK SPACE}56]%"
            ),
        ),
        (
            Verdict.SAME,
            [
                _verdict("wall_s", Verdict.SAME, ratio=0.53, interval=(0.44, 0.64), margin=0.02),
                _verdict("peak_rss_bytes", Verdict.SAME, ratio=0.92, interval=(0.91, 0.93), margin=0.05),
                _verdict("quality.psnr_y.mean", Verdict.SAME, difference=0.0),
            ],
            (
                "gpu exports 1080p-1min in 47% less time than cpu [36,\N{NO-BREAK SPACE}56]% (too few blocks to "
                "show an improvement), quality unchanged, memory not higher"
            ),
        ),
        (
            Verdict.SAME,
            [
                _verdict("wall_s", Verdict.SAME, ratio=1.001, interval=(0.99, 1.01), margin=0.02),
                _verdict("quality.psnr_y.mean", Verdict.UNDECIDED, difference=0.0),
            ],
            (
                "gpu exports 1080p-1min in the same time as cpu within 2% [\N{MINUS SIGN}1.0,\N{NO-BREAK SPACE}+1.0]%, "
                "quality undecided"
            ),
        ),
        (
            Verdict.INVALID,
            [
                _verdict("wall_s", Verdict.INVALID, reasons=("gpu fell back to cpu",)),
                _verdict("wall_s", Verdict.INVALID, case="a"),
                _verdict("wall_s", Verdict.WORSE, case="b"),
            ],
            (
                "gpu cannot be judged against cpu at 1080p-1min: gpu fell back to cpu, quality not judged; "
                "1 case invalid, 1 case worse"
            ),
        ),
        (
            Verdict.NOT_APPLICABLE,
            [_verdict("wall_s", Verdict.NOT_APPLICABLE, reasons=("the adapter is a software one",))],
            (
                "the time of gpu against cpu at 1080p-1min is not judged: the adapter is a software one, "
                "quality not judged"
            ),
        ),
    ],
    ids=[
        "better",
        "worse",
        "undecided",
        "undecided and worse",
        "undecided but one-sided",
        "no worse",
        "same",
        "invalid",
        "not applicable",
    ],
)
def test_the_verdict_in_one_sentence(
    tmp_path: Path, joint: Verdict, verdicts: list[MetricVerdict], sentence: str
) -> None:
    cells = cells_of(read_folder(write_simulated_folder(tmp_path / "results", _SMALL)))

    headline = compose_headline(_comparison(joint, *verdicts), cells)

    assert headline.sentence == sentence
    assert headline.verdict is joint


def test_a_faster_export_with_a_wrong_picture_is_not_praised(tmp_path: Path) -> None:
    simulation = replace(_SMALL, blocks=6, broken_colour=frozenset({"gpu"}))
    folder = read_folder(write_simulated_folder(tmp_path / "results", simulation))
    comparisons, problems = compare_subjects(folder)

    headline = compose_headline(comparisons[0], cells_of(folder))

    assert not problems
    assert headline.verdict is Verdict.WORSE  # its PSNR is 9 dB lower too
    assert "validation failed at 1080p-1min" in headline.sentence
    assert "less" not in headline.sentence
    assert "lower" not in headline.sentence


@pytest.mark.parametrize(
    ("simulation", "sentence"),
    [
        (replace(_SMALL, blocks=0), "Nothing was measured: no block has a run"),
        (
            replace(_SMALL, failing={("1080p-1min", name): "no" for name in ("floor", "cpu", "gpu")}),
            "Nothing was measured: no run finished, 12 failed",
        ),
    ],
    ids=["no run", "all failed"],
)
def test_without_anything_to_compare_the_sentence_says_so(
    tmp_path: Path, simulation: Simulation, sentence: str
) -> None:
    cells = cells_of(read_folder(write_simulated_folder(tmp_path / "results", simulation)))

    assert compose_headline(None, cells).sentence == sentence


def _printed(folder: Path) -> str:
    console = Console(width=200, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(run_table(read_folder(folder)))
    return capture.get()


def test_every_figure_that_somebody_measured_has_a_row() -> None:
    run = next(run for run in simulate_runs(_SMALL) if run.subject == "gpu")
    held = {"pipeline_bytes": {"staging": 4_000_000}, "telemetry": {"nvml.energy_j": 55.5, "nvml.state": "text"}}
    first = run.model_copy(update={**held, "fps": 10.0, "adapter_is_software": True})
    second = run.model_copy(update={**held, "fps": 20.0})

    rows = {row.name: row.values for row in arrange_figures({"gpu": _cell(first, second), "floor": _cell()})}

    assert rows["frames a second"] == ("15.0 (10.0 to 20.0)", MISSING)
    assert rows["held by staging"] == ("4.00 MB", MISSING)
    assert rows["nvml.energy_j"] == ("55.50", MISSING)
    assert "GPU time, CPU time here" in rows
    assert "nvml.state" not in rows
    assert "memcpy of the same size" not in rows


def test_the_terminal_table_says_what_was_measured_in_slices_and_why_something_was_not(tmp_path: Path) -> None:
    path = write_simulated_folder(tmp_path / "results", _SMALL)
    assert "slices" not in _printed(path)
    account = {"slice_ms": 100, "count": 20, "alone_share": 0.0, "overlap_share": 0.0}
    for file in (path / "runs").glob("*.json"):
        run = json.loads(file.read_text())
        if file.name.startswith("1080p-1min--cpu"):
            run |= {"interleave": "slices", "slices": account}
        else:
            run["unmeasured"]["slices"] = "memory is short"
        file.write_text(json.dumps(run))

    text = " ".join(_printed(path).split())

    assert "Measured in slices, whose times compare with each other and not with whole runs: 1080p-1min." in text
    assert "1080p-1min was measured without slices: memory is short." in text


def test_the_terminal_table_has_medians_checks_and_names_as_text(tmp_path: Path) -> None:
    simulation = replace(
        _SMALL,
        adapter="llvmpipe (LLVM 19)",
        adapter_is_software=True,
        broken_colour=frozenset({"gpu"}),
        failing={("1080p-1min", "cpu"): "the encoder said [red]no[/red]"},
    )

    text = _printed(write_simulated_folder(tmp_path / "results", simulation))

    assert "software wall" in text
    assert "Software times, not GPU times: llvmpipe (LLVM 19)" in text
    assert "all 4 failed: the encoder said [red]no[/red]" in text
    assert "4 of 4 invalid: colour.matrix" in text
    gpu_row = next(line for line in text.splitlines() if " gpu " in line)
    assert "5.60 GB" in gpu_row  # 1920 x 1080 x 1.5 bytes x 1800 frames


def test_the_terminal_table_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    text = _printed(write_simulated_folder(tmp_path / "results", replace(_SMALL, blocks=0)))

    assert "nothing was measured" in text
