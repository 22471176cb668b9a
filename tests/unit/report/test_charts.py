"""Charts: nothing lost by thinning, nothing from outside read as markup, the same bytes each time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from capbench.report.aggregate import Cell
from capbench.report.charts.canvas import CHART_WIDTH_PX, Chart, chart_style
from capbench.report.charts.distribution import distribution_chart, latency_chart, traffic_chart
from capbench.report.charts.effect import effect_chart
from capbench.report.charts.forest import ForestLine, ForestMean, forest_chart
from capbench.report.charts.labels import spread_labels
from capbench.report.charts.rung_effects import rung_effect_chart, rung_floor_chart
from capbench.report.charts.stages import bottleneck_words, find_bottleneck, stage_chart
from capbench.report.charts.time_series import quality_charts, thin_by_extreme, trace_charts
from capbench.report.palette import SubjectStyle, style_subjects
from capbench.report.report_folder import RunFile
from capbench.report.wording import seconds_words, shorten
from capbench.results import MetricVerdict, StageTimes, Verdict
from capbench.results.comparison import LadderCosts, RungCost
from capbench.results.visible_text import visible
from tests.report_simulator import HOSTILE_NAMES, STANDARD_CASES, STANDARD_SUBJECTS, Simulation, simulate_runs

Cells = Mapping[str, Cell]
Styles = Mapping[str, SubjectStyle]


def _cells(*names: str, blocks: int = 4) -> dict[str, Cell]:
    subjects = tuple(replace(subject, name=name) for subject, name in zip(STANDARD_SUBJECTS, names, strict=False))
    runs = simulate_runs(Simulation(cases=STANDARD_CASES[:1], subjects=subjects, blocks=blocks, trace_samples=9))
    files = [RunFile(run, None, f"run-{number}") for number, run in enumerate(runs)]
    return {name: Cell("c", name, tuple(file for file in files if file.run.subject == name), (), ()) for name in names}


def _wall(cells: Cells, styles: Styles) -> Chart | None:
    return distribution_chart(
        cells, styles, "wall_s", title="Export time", unit="seconds", words=seconds_words, prefix="p"
    )


def _effect(cells: Cells, styles: Styles) -> Chart | None:
    verdicts = [
        MetricVerdict(
            case="c",
            metric="wall_s",
            base="cpu",
            new=name,
            verdict=Verdict.BETTER,
            sentence="s",
            ratio=0.6,
            interval=(0.5, 0.7),
            margin=0.02,
            detectable_ratio=1.05,
        )
        for name in cells
    ]
    return effect_chart(verdicts, styles, prefix="p")


def _ladder(cells: Cells) -> LadderCosts:
    costs = [
        RungCost(rung="b", below="a", subject=name, wall_s=2.0, ratio=1.1, interval=(1.0, 1.2), times_floor=1.5)
        for name in cells
    ]
    return LadderCosts(ladder="l", rungs=("a", "b"), subjects=tuple(cells), costs=tuple(costs))


_CHARTS: dict[str, Callable[[Cells, Styles], Chart | None]] = {
    "wall": _wall,
    "effect": _effect,
    "rung effects": lambda cells, styles: rung_effect_chart(_ladder(cells), styles, prefix="p"),
    "rung floors": lambda cells, styles: rung_floor_chart(_ladder(cells), styles, prefix="p"),
    "stages": lambda cells, styles: stage_chart(cells, styles, prefix="p"),
    "traffic": lambda cells, styles: traffic_chart(cells, styles, prefix="p"),
    "latency": lambda cells, styles: latency_chart(cells, styles, prefix="p"),
    "memory": lambda cells, styles: trace_charts(
        {name: cell.measured[0] for name, cell in cells.items()}, styles, prefix="p"
    )[1],
    "quality": lambda cells, styles: quality_charts(
        {name: cell.measured[0] for name, cell in cells.items()}, styles, prefix="p"
    )[0],
}


def _drawn(kind: str, *names: str) -> Chart:
    cells = _cells(*names)
    with chart_style():
        chart = _CHARTS[kind](cells, style_subjects(names))
    assert chart is not None
    return chart


@pytest.mark.parametrize("kind", _CHARTS)
def test_a_chart_takes_every_colour_from_the_theme_and_needs_no_inline_style(kind: str) -> None:
    svg = str(_drawn(kind, "floor", "cpu", "gpu").svg)

    assert "style=" not in svg
    assert not re.findall(r'(?:fill|stroke)="#', svg)
    assert "var(--s2)" in svg or kind == "effect"


@pytest.mark.parametrize("kind", _CHARTS)
def test_every_label_has_its_size_and_the_page_gives_the_family(kind: str) -> None:
    labels = ET.fromstring(str(_drawn(kind, "floor", "cpu", "gpu").svg)).findall(".//text")

    assert {label.get("font-size") for label in labels} <= {"11px", "12px"}
    assert {key for label in labels for key in label.attrib} & {"font", "font-family"} == set()
    assert any(label.get("font-weight") == "700" for label in labels) or kind == "effect"


@pytest.mark.parametrize("kind", _CHARTS)
def test_a_chart_is_the_same_bytes_each_time(kind: str) -> None:
    assert _drawn(kind, "floor", "cpu", "gpu").svg == _drawn(kind, "floor", "cpu", "gpu").svg


@pytest.mark.parametrize("kind", _CHARTS)
@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=["script", "quotes", "long", "right-to-left", "emoji"])
def test_a_hostile_name_comes_out_as_text_of_the_chart(kind: str, name: str) -> None:
    chart = _drawn(kind, "floor", name, "gpu")

    root = ET.fromstring(str(chart.svg))
    assert not [element for element in root.iter() if element.tag == "script"]
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]
    texts = "".join(element.text or "" for element in root.iter("text"))
    assert visible(name)[:3] in texts
    assert shorten(name) in chart.reading or kind == "effect"


def _cut_labels(chart: Chart) -> list[str | None]:
    """Labels that do not end inside the chart, in DejaVu Sans, which is wider than the page's fonts."""
    cut = []
    for text in ET.fromstring(chart.svg).iter("text"):
        font = FontProperties(family="DejaVu Sans", weight=int(text.get("font-weight", "400")))
        size_px = float(text.get("font-size", "").removesuffix("px"))
        width_px = TextPath((0, 0), text.text or "", size=size_px, prop=font).get_extents().width
        at = float(text.get("x", "nan"))
        edges = {"start": (at, at + width_px), "end": (at - width_px, at)}
        left, right = edges.get(text.get("text-anchor", "start"), (at, at))
        if not (left >= 0 and right <= CHART_WIDTH_PX):
            cut.append(text.text)
    return cut


@pytest.mark.parametrize("kind", _CHARTS)
def test_no_label_is_cut_at_the_edge(kind: str) -> None:
    """`mine-slower.sh` stood as `ine-slower.sh`."""
    assert _cut_labels(_drawn(kind, "cpu", "mine-slower.sh", "w" * 20)) == []


def test_no_machine_is_cut_at_the_edge_of_a_forest() -> None:
    lines = [ForestLine(name, 1.1, (1.0, 1.2), 0.5, Verdict.SAME) for name in ("studio-1", "w" * 20)]
    mean = ForestMean("mean of 12", 1.1, (1.05, 1.15), None)
    with chart_style():
        chart = forest_chart(lines, mean, title="t", words="w", prefix="p", margin=0.02)
    assert chart is not None

    assert _cut_labels(chart) == []


def test_every_run_is_a_dot_that_names_its_run() -> None:
    cells = _cells("floor", "cpu", "gpu", blocks=7)
    with chart_style():
        chart = _wall(cells, style_subjects(cells))
    assert chart is not None

    dots = [element for element in ET.fromstring(str(chart.svg)).iter() if "data-run" in element.attrib]

    assert [dot.get("data-run") for dot in dots] == [file.anchor for cell in cells.values() for file in cell.measured]
    assert (dots[0][0].text or "").startswith("floor, block 0: ")


def test_what_nobody_measured_gives_no_chart() -> None:
    bare = {
        name: replace(
            cell,
            measured=tuple(
                RunFile(
                    file.run.model_copy(
                        update={
                            "wall_s": None,
                            "stages": {},
                            "latency": None,
                            "trace": (),
                            "validation": None,
                            "upload_bytes": None,
                            "readback_bytes": None,
                        }
                    ),
                    None,
                    file.anchor,
                )
                for file in cell.measured
            ),
        )
        for name, cell in _cells("cpu", "gpu").items()
    }
    styles = style_subjects(bare)

    with chart_style():
        assert _wall(bare, styles) is None
        assert stage_chart(bare, styles, prefix="p") is None
        assert latency_chart(bare, styles, prefix="p") is None
        assert traffic_chart(bare, styles, prefix="p") is None
        assert trace_charts({name: cell.measured[0] for name, cell in bare.items()}, styles, prefix="p") == ()
        assert quality_charts({name: cell.measured[0] for name, cell in bare.items()}, styles, prefix="p") == ()
        assert effect_chart([], styles, prefix="p") is None


def _with_series(**series: tuple[float | None, ...]) -> dict[str, RunFile]:
    """One run of `cpu` whose validation has these values by frame."""
    file = _cells("cpu")["cpu"].measured[0]
    assert file.run.validation is not None
    report = file.run.validation.model_copy(update={"series": series, "worst_frames": ()})
    return {"cpu": RunFile(file.run.model_copy(update={"validation": report}), None, "run-0")}


@pytest.mark.parametrize(
    ("metric", "reading"),
    [
        ("vmaf", "Lowest: cpu 90.00 at frame 2"),
        ("cambi", "Highest: cpu 97.00 at frame 4"),
        ("psnr_hvs", "Lowest: cpu 90.00 dB at frame 2"),
    ],
)
def test_a_chart_over_frames_names_the_worst_by_the_direction_of_its_metric(metric: str, reading: str) -> None:
    """Values that are not finite, or that no axis holds, as other programs' files have them, are no points."""
    runs = _with_series(**{metric: (1e308, math.inf, 90.0, math.nan, 97.0)})

    with chart_style():
        (chart,) = quality_charts(runs, style_subjects(["cpu"]), prefix="p")

    assert chart.reading.startswith(reading)


@pytest.mark.parametrize("values", [(None, None), (math.inf, math.inf), (math.nan,), (-1e308,), ()])
def test_a_series_without_one_finite_value_has_no_chart(values: tuple[float | None, ...]) -> None:
    with chart_style():
        assert quality_charts(_with_series(vmaf=values), style_subjects(["cpu"]), prefix="p") == ()


def test_the_bottleneck_is_the_stage_with_the_most_work() -> None:
    stages = {
        "decode": StageTimes(work_s=2, wait_input_s=0, wait_output_s=8),
        "encode": StageTimes(work_s=9, wait_input_s=1, wait_output_s=0),
        "mux": StageTimes(work_s=0.1, wait_input_s=9.9, wait_output_s=0),
    }

    found = find_bottleneck(stages)

    assert found is not None
    assert (found.stage, found.work_s, found.busy_share) == ("encode", 9, 0.9)
    assert find_bottleneck({}) is None


@pytest.mark.parametrize(
    ("waits_s", "expected"),
    [(0, "the render thread (upload, render, readback, convert)"), (1, "encode")],
    ids=["in line", "on a thread of its own"],
)
def test_stages_of_one_thread_are_blamed_together(waits_s: float, expected: str) -> None:
    """As `gpu-late` measured them: each stage of the render thread waits for the others of its own."""
    stages = {
        "upload": StageTimes(work_s=1.6, wait_input_s=0, wait_output_s=0),
        "render": StageTimes(work_s=0.5, wait_input_s=0, wait_output_s=0),
        "readback": StageTimes(work_s=1.9, wait_input_s=0.5, wait_output_s=0),
        "convert": StageTimes(work_s=3.6, wait_input_s=waits_s, wait_output_s=0),
        "encode": StageTimes(work_s=4.3, wait_input_s=3.9, wait_output_s=0),
    }

    found = find_bottleneck(stages)

    assert found is not None
    assert found.stage == expected
    assert bottleneck_words("gpu-late", found).startswith(f"gpu-late is limited by {expected}")


def test_upload_thread_is_blamed_alone() -> None:
    """It waits for the decoder; a revision that uploads while it renders never does, and is of one thread."""
    stages = {
        "upload": StageTimes(work_s=3, wait_input_s=0.1, wait_output_s=0),
        "render": StageTimes(work_s=0.5, wait_input_s=1, wait_output_s=0),
        "readback": StageTimes(work_s=1.9, wait_input_s=0.5, wait_output_s=0),
    }

    found = find_bottleneck(stages)

    assert found is not None
    assert found.parts == ("upload",)


@pytest.mark.parametrize("every", [1, 60])
def test_no_line_joins_frames_between_which_nobody_measured(every: int) -> None:
    run = _cells("floor", "cpu", "gpu", blocks=1)["gpu"].measured[0].run
    assert run.validation is not None
    series = tuple(value if at % every == 0 else None for at, value in enumerate(run.validation.series["psnr_y"]))
    report = run.validation.model_copy(update={"series": {"psnr_y": series}, "worst_frames": ()})
    file = RunFile(run.model_copy(update={"validation": report}), None, "run-1")

    (chart,) = quality_charts({"gpu": file}, style_subjects(["gpu"]), prefix="p")

    longest = max((len(re.findall(r"L ", path)) for path in re.findall(r' d="([^"]+)"', chart.svg)), default=0)
    assert (longest > 100) is (every == 1)
    assert ("Only frames with a mark were measured" in chart.reading) is (every == 60)


@pytest.mark.parametrize("keep_low", [True, False])
@pytest.mark.parametrize("count", [3, 240, 241, 18_000])
def test_thinning_keeps_the_worst_frame_and_the_peak(count: int, *, keep_low: bool) -> None:
    values = np.random.default_rng(count).normal(40, 1, count)
    values[count // 2] = 3 if keep_low else 99
    values[0] = np.nan

    places, kept = thin_by_extreme(values, 240, keep_low=keep_low)

    assert len(kept) <= 240
    assert count // 2 in places
    assert np.array_equal(values[places], kept)
    assert np.all(np.diff(places) > 0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([10.0, 50.0], [10.0, 50.0]),
        ([10.0, 10.0, 10.0], [10.0, 25.0, 40.0]),
        ([95.0, 95.0, 95.0], [70.0, 85.0, 100.0]),
        ([], []),
    ],
)
def test_labels_of_lines_that_end_together_are_pushed_apart_and_stay_inside(
    wanted: list[float], expected: list[float]
) -> None:
    """15 px apart, in a chart of 100 px."""
    assert spread_labels(wanted, 100.0) == expected


@pytest.mark.parametrize(("work_s", "held_up"), [(9.0, True), (1.0, False)])
def test_a_stage_that_mostly_waits_is_not_blamed(work_s: float, *, held_up: bool) -> None:
    found = find_bottleneck({"encode": StageTimes(work_s=work_s, wait_input_s=10 - work_s, wait_output_s=0)})

    assert found is not None
    assert ("is limited by encode" in bottleneck_words("gpu", found)) == held_up
