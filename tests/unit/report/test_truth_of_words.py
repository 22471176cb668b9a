"""What the page says is what was found: quality that rose, pictures that nobody here drew, units, and one failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.gate.compare import compare
from capbench.gate.judged_metrics import describe_metric
from capbench.report.aggregate import cells_of
from capbench.report.cell_words import quality_words
from capbench.report.formats.ci.junit import junit_xml
from capbench.report.formats.overview_forms import to_json, to_markdown
from capbench.report.page.headline import compose_headline
from capbench.report.page.write_page import view_folder, write_report
from capbench.report.report_folder import read_folder
from capbench.report.wording import effect_words, interval_words, value_words
from capbench.results import MetricSummary, MetricVerdict, Verdict
from capbench.results.folder import write_record
from tests.gate_folders import write_plan, write_runs
from tests.gate_runs import noisy, runs_table


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("quality.psnr_y.mean", 41.256, "41.26 dB"),
        ("quality.xpsnr_y.mean", 41.256, "41.26 dB"),
        ("quality.ffmpeg_psnr_y.mean", 41.256, "41.26 dB"),
        ("quality.ssim_y.mean", 0.98765, "0.9877"),
        ("quality.ffmpeg_ssim_y.mean", 0.98765, "0.9877"),
        ("quality.vmaf.mean", 93.456, "93.46"),
        ("quality.av_offset_ms", 12.34, "12.3 ms"),
        ("quality.of_the_future.mean", 0.5, "0.5000"),
    ],
)
def test_only_a_ratio_of_signal_to_noise_is_in_decibels(metric: str, value: float, words: str) -> None:
    verdict = MetricVerdict(
        case="c",
        metric=metric,
        base="a",
        new="b",
        verdict=Verdict.SAME,
        sentence="",
        difference=0.5,
        interval=(0.25, 0.75),
    )

    assert describe_metric(metric).format(value) == words
    assert value_words(value, metric) == words
    unit = words.partition(" ")[2]
    assert effect_words(verdict).partition(" ")[2] == unit
    assert interval_words(verdict).partition("]")[2].strip() == unit


@pytest.mark.parametrize(
    ("psnr_db", "words", "verdict"),
    [
        (41.94, "quality better", Verdict.BETTER),
        (40.05, "quality unchanged", Verdict.SAME),
        (40.0, "quality unchanged", Verdict.SAME),
        (38.0, "quality worse", Verdict.WORSE),
    ],
)
def test_quality_that_rose_is_not_called_unchanged(
    tmp_path: Path, psnr_db: float, words: str, verdict: Verdict
) -> None:
    for subject, mean in (("cpu", 40.0), ("gpu", psnr_db)):
        write_runs(tmp_path, subject, noisy(8, seed=3))
        folder = tmp_path / "runs"
        for file in folder.glob(f"*--{subject}--*"):
            run = next(run for run in read_folder(tmp_path).runs if run.path == file).run
            assert run.validation is not None
            summary = run.validation.metrics["psnr_y"].model_copy(update={"mean": mean, "p1": mean - 2})
            validation = run.validation.model_copy(update={"metrics": {"psnr_y": summary}})
            write_record(file, run.model_copy(update={"validation": validation}))

    view = view_folder(read_folder(tmp_path), tmp_path, charts=False)

    assert words in view.headline.sentence
    tile = next(tile for tile in view.headline.tiles if tile.label == "Quality")
    assert tile.verdict is verdict


def test_a_page_of_foreign_commands_names_no_adapter(tmp_path: Path) -> None:
    """The machine has one, and nothing here was drawn by it."""
    folder = tmp_path / "foreign"
    write_plan(folder, ("capbench", "run"), blocks=3, subjects=("main", "branch"))
    for subject in ("main", "branch"):
        write_runs(
            folder, subject, noisy(3), adapter=None, adapter_is_software=None, path_requested=None, path_used=None
        )
    (folder / "environment.json").write_text(
        '{"schema_version": 1, "adapter": "llvmpipe (LLVM 15)", "adapter_is_software": true, "cpu_model": "A CPU"}',
        encoding="utf-8",
    )
    view = view_folder(read_folder(folder), tmp_path, charts=False)

    page = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")

    assert view.machine.sentence == "On A CPU."
    assert "Drawn by" not in page
    for text in (to_markdown(view), to_json(view)):
        assert "llvmpipe" not in text
    assert "A CPU" in to_markdown(view)


def test_a_failed_command_is_one_row_with_the_reason() -> None:
    base = runs_table("main", noisy(8))
    new = runs_table("branch", noisy(8), error="python ended with exit code 3: no such codec", error_kind="exit")

    comparison = compare(base, new)

    (row,) = comparison.verdicts
    assert row.verdict is Verdict.INVALID
    assert "no such codec" in row.sentence
    assert row.metric == "wall_s"
    assert comparison.exit_code == 1
    assert junit_xml(comparison).count("<failure") == 1


def test_the_page_of_a_failed_command_says_so_once_a_table(tmp_path: Path) -> None:
    write_plan(tmp_path, ("capbench", "run"), blocks=4, subjects=("main", "branch"))
    write_runs(tmp_path, "main", noisy(4))
    write_runs(tmp_path, "branch", noisy(4), error="it died", validation=None)

    view = view_folder(read_folder(tmp_path), tmp_path, charts=True)

    (case,) = view.cases
    assert len(case.verdicts) == 1
    assert not case.further_verdicts
    assert "it died" in view.headline.sentence
    row = next(row for row in view.rows if row.subject == "branch")
    assert row.verdict is not None
    assert row.verdict.verdict is Verdict.INVALID


def test_a_cell_has_the_unit_of_its_own_metric(tmp_path: Path) -> None:
    """The unit comes from the table of metrics, whatever a record says."""
    write_runs(tmp_path, "gpu", noisy(2))
    run = read_folder(tmp_path).runs[0].run
    assert run.validation is not None
    summary = MetricSummary(
        mean=0.98765, harmonic_mean=None, p5=None, p1=None, worst=None, worst_frame=None, frames=3, unit="dB"
    )
    validation = run.validation.model_copy(update={"metrics": {"ssim_y": summary}})
    for file in (tmp_path / "runs").iterdir():
        write_record(file, run.model_copy(update={"validation": validation, "block": int(file.stem[-1])}))

    cell = cells_of(read_folder(tmp_path))["1080p"]["gpu"]

    assert quality_words(cell).text == "SSIM Y 0.9877"
    assert compose_headline(None, {"1080p": {"gpu": cell}}).verdict is Verdict.NOT_APPLICABLE
