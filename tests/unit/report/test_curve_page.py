"""Curves on the page and in the tables: drawn, counted, and never as one run's size."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from capbench.gate.curves.rate_points import RateCurve, RatePoint
from capbench.report import write_report
from capbench.report.charts.canvas import chart_style
from capbench.report.charts.rate_quality import bitrate_words, cost_chart, rate_chart
from capbench.report.formats.run_tables import measured_groups
from capbench.report.formats.terminal import run_table
from capbench.report.page.write_page import view_folder
from capbench.report.palette import style_subjects
from capbench.report.report_folder import read_folder
from capbench.results import MetricSummary, RunResult, ValidationReport, Verdict
from capbench.results.folder import read_folder as read_contents
from capbench.results.folder import run_file_name, write_record
from capbench.results.run_record import CurvePoint
from tests.report_simulator import HOSTILE_NAMES

_QPS = (20, 26, 32, 38)


def _run(case: str, subject: str, place: int, *, rate: float, corpus: str | None, quality: float | None) -> RunResult:
    summary = MetricSummary(
        mean=quality, harmonic_mean=None, p5=None, p1=quality, worst=None, worst_frame=None, frames=30, unit="dB"
    )
    video_bytes = round(1_000_000 * rate / 2**place)
    return RunResult(
        case=case,
        subject=subject,
        block=0,
        order=place,
        corpus=corpus,
        point=CurvePoint(parameter="qp", value=_QPS[place]),
        frames=30,
        wall_s=2.0 - place / 10,
        cpu_s=4.0,
        duration_s=1.0,
        output_bytes=video_bytes + 5000,
        video_bytes=video_bytes,
        fingerprint="machine",
        validation=ValidationReport(reference="r", output="o", checks=(), metrics={"psnr_y": summary}),
    )


def _folder(
    path: Path, clips: int, *, corpus: str | None, qualities: tuple[float | None, ...] = (44, 40, 36, 32)
) -> Path:
    for clip in range(clips):
        for subject, rate in (("cpu", 1.0), ("gpu", 0.9 + clip / 100)):
            for place, quality in enumerate(qualities):
                run = _run(f"clip{clip}", subject, place, rate=rate, corpus=corpus, quality=quality)
                name = run_file_name(run.case, subject, run.role, run.block, run.point)
                write_record(path / "runs" / name, run)
    return path


def test_the_page_draws_a_curve_and_gives_its_difference(tmp_path: Path) -> None:
    page = write_report([_folder(tmp_path / "out", 1, corpus=None)], tmp_path / "page.html").read_text(encoding="utf-8")

    assert page.count('id="curve-1"') == 1
    assert "PSNR Y against rate" in page
    assert "PSNR Y against export time" in page
    assert "PSNR Y against CPU time" in page
    assert "\N{MINUS SIGN}10.0%" in page


def test_the_first_screen_says_that_the_curve_is_worse(tmp_path: Path) -> None:
    for subject, rate in (("cpu", 1.0), ("gpu", 1.2)):
        for place, quality in enumerate((44, 40, 36, 32)):
            run = _run("clip", subject, place, rate=rate, corpus=None, quality=quality)
            name = run_file_name(run.case, subject, run.role, run.block, run.point)
            write_record(tmp_path / "out" / "runs" / name, run)
    folder = read_folder(tmp_path / "out")

    headline = view_folder(folder, tmp_path, charts=False).headline

    assert headline.verdict is Verdict.WORSE
    assert "quality worse at clip" in headline.sentence
    assert any("20.0% more" in tile.detail for tile in headline.tiles)


def test_the_page_pools_a_corpus_and_names_its_worst_clip(tmp_path: Path) -> None:
    page = write_report([_folder(tmp_path / "out", 6, corpus="clips")], tmp_path / "p.html").read_text(encoding="utf-8")

    assert "Curves of clips" in page
    assert "clip5 \N{MINUS SIGN}5.0%" in page  # the worst
    assert "\N{MINUS SIGN}7.5%" in page  # the mean of 10, 9, 8, 7, 6 and 5


@pytest.mark.parametrize("qualities", [(100.0,) * 4, (None,) * 4, (44, 40, 36, None)])
def test_what_has_no_curve_is_named_and_is_no_error(tmp_path: Path, qualities: tuple[float | None, ...]) -> None:
    folder = _folder(tmp_path / "out", 1, corpus=None, qualities=qualities)

    page = write_report([folder], tmp_path / "page.html").read_text(encoding="utf-8")

    assert 'id="curve-1"' in page


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE_NAMES):
        for place, quality in enumerate((44, 40, 36, 32)):
            for subject in ("cpu", name):
                run = _run("c", subject, place, rate=1, corpus=name, quality=quality)
                write_record(tmp_path / "out" / "runs" / f"{number}-{place}-{subject == 'cpu'}.json", run)

    page = write_report([tmp_path / "out"], tmp_path / "page.html").read_text(encoding="utf-8")

    assert "<script>alert" not in page


def test_tables_say_points_and_no_size(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "out", 1, corpus=None)
    console = Console(file=io.StringIO(), width=200)
    console.print(run_table(read_folder(folder)))
    assert isinstance(console.file, io.StringIO)

    text = console.file.getvalue()

    assert "(4 points)" in text
    assert "32.00 to 44.00 dB" in text
    assert "kB" not in text


def test_other_tools_get_a_group_a_point(tmp_path: Path) -> None:
    contents = read_contents(_folder(tmp_path / "out", 1, corpus=None))

    cases = {case for _, case, _ in measured_groups([contents])}

    assert cases == {f"clip0 qp={qp}" for qp in _QPS}


def test_charts_bear_few_points_and_equal_times() -> None:
    styles = style_subjects(["cpu", "gpu"])
    one = RateCurve((RatePoint("qp=20", 1e6, 40.0, 2.0, float("nan")),))

    with chart_style():
        assert rate_chart({"cpu": one, "gpu": RateCurve(())}, styles, "psnr_y", prefix="a") is not None
        assert cost_chart({"cpu": one}, styles, "psnr_y", field="wall_s", prefix="b") is not None
        assert cost_chart({"cpu": one}, styles, "psnr_y", field="cpu_s", prefix="c") is None
        assert rate_chart({"cpu": RateCurve(())}, styles, "psnr_y", prefix="d") is None


def test_bit_rates_have_three_digits() -> None:
    assert [bitrate_words(rate) for rate in (850_000, 2_400_000, 12_345_678)] == [
        "850 kbit/s",
        "2.4 Mbit/s",
        "12.3 Mbit/s",
    ]
