"""A folder of several machines arranged for its page: what all of them say, and where each has a page of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capbench.gate.verdicts.phrases import share_words
from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.forest import ForestLine, ForestMean, forest_chart
from capbench.report.machine_pages.machine_rows import MachineRow, OverRow, arrange_machine_rows, arrange_over_rows
from capbench.report.page.folder_view import folder_facts
from capbench.report.page.headline import Tile
from capbench.report.report_folder import ReportFolder, relative_url
from capbench.report.wording import change_words, metric_words, shorten
from capbench.results import Comparison, Verdict
from capbench.results.comparison import MachineVerdict, PooledVerdict

__all__ = ["FleetCase", "FleetView", "arrange_fleet"]

_CHARTED = ("wall_s", "cpu_s", "peak_rss_bytes")
"""Figures that have a forest plot: those that differ from run to run and that people ask about."""
_MOST_CASES = 40
"""With charts: a matrix of more is read in the tables."""


@dataclass(frozen=True, slots=True)
class FleetCase:
    """One case and pair of subjects over all machines."""

    name: str
    """Name of the case."""
    anchor: str
    """Identifier on the page."""
    pair: str
    """New against base."""
    sentence: str
    """What the machines say of its time."""
    verdict: Verdict
    """Of its time, of its first figure where time was not judged."""
    charts: tuple[Chart, ...]
    """Forest plots."""


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that the page shows."""

    name: str
    """Name of the folder."""
    matrix_name: str
    """Name of the matrix, empty where unknown."""
    started_at: str
    """When the first run started, empty where unknown."""
    revision: str
    """Git revision, empty where unknown."""
    heading: str
    """The verdict in one sentence."""
    verdict: Verdict
    """Joint outcome over machines."""
    scope: str
    """How much was measured, and which subject is base."""
    tiles: tuple[Tile, ...]
    """Figures of the first screen: means over machines."""
    cases: tuple[FleetCase, ...]
    """One section each."""
    rows: tuple[MachineRow, ...]
    """Every machine's own figures."""
    over: tuple[OverRow, ...]
    """Every figure over machines."""
    machines: tuple[tuple[MachineVerdict, str], ...]
    """Every machine, and the relative URL of its page, empty where none is written."""
    has_cases: bool
    """Whether there are several cases."""
    has_pairs: bool
    """Whether there are several pairs of subjects."""
    warnings: tuple[str, ...]
    """What the reader should know, once each."""
    plan: tuple[tuple[str, str], ...]
    """Seed and so on, key and value."""
    command: str
    """Command that repeats the measurement, empty where unknown."""
    raw_folder: str
    """Relative URL of the folder with the raw JSON, empty for a page that travels alone."""


def arrange_fleet(
    folder: ReportFolder,
    comparisons: Sequence[Comparison],
    page_folder: Path | None,
    *,
    problems: Sequence[str] = (),
    links: Mapping[str, str],
) -> FleetView:
    """Arrange a folder of several machines for a page in `page_folder`, None for one that travels alone.

    `links` has the relative URL of each machine's own page that will be written. `problems` are sentences about what
    could not be judged.
    """
    facts = folder_facts(folder)
    main = next((one for one in comparisons if one.new == "gpu"), comparisons[0] if comparisons else None)
    cases = tuple(_arrange_cases(comparisons))
    rows = arrange_machine_rows(comparisons, links)
    names = folder.machine_names
    scope = f"{len(names)} machines, {sum(file.is_measured for file in folder.blocks)} measured runs."
    judged = (words for comparison in comparisons for words in comparison.warnings)
    return FleetView(
        name=folder.name,
        matrix_name=facts.matrix_name,
        started_at=facts.started_at,
        revision=facts.revision,
        heading=_heading(main, len(names)),
        verdict=Verdict.NOT_APPLICABLE if main is None else main.verdict,
        scope=f"{scope} {shorten(main.base_note, 160)}" if main else scope,
        tiles=tuple(_tiles(main)),
        cases=cases,
        rows=rows,
        over=arrange_over_rows(comparisons),
        machines=tuple((one, links.get(one.machine, "")) for one in main.by_machine) if main else (),
        has_cases=len({row.case for row in rows}) > 1,
        has_pairs=len({row.pair for row in rows}) > 1,
        warnings=tuple(dict.fromkeys((*folder.problems, *problems, *judged))),
        plan=facts.plan,
        command=facts.command,
        raw_folder=relative_url(folder.path / "runs", page_folder),
    )


def _heading(main: Comparison | None, machines: int) -> str:
    if main is None:
        return f"Nothing was compared on {machines} machines"
    speaker = _speaker(main.over_machines, main.verdict)
    if speaker is None:
        return main.sentence
    what = "" if speaker.metric == "wall_s" else f" {metric_words(speaker.metric)}"
    return f"{shorten(speaker.new)} against {shorten(speaker.base)} at {shorten(speaker.case)}:{what} {speaker.tally}"


def _speaker(over: Sequence[PooledVerdict], verdict: Verdict) -> PooledVerdict | None:
    """Time where it decides or nothing does, else the figure that does: checks first."""
    times = [row for row in over if row.metric == "wall_s"]
    decisive = [row for row in over if row.verdict is verdict]
    if verdict in (Verdict.WORSE, Verdict.INVALID) and not any(row.verdict is verdict for row in times):
        return next((row for row in decisive if row.metric == "validation"), decisive[0] if decisive else None)
    return next((row for row in times if row.verdict is verdict), times[0] if times else None)


def _tiles(main: Comparison | None) -> Iterator[Tile]:
    """Means over machines of the case that the heading is about."""
    speaker = None if main is None else _speaker(main.over_machines, main.verdict)
    if main is None or speaker is None:
        return
    labels = {"wall_s": "Export time", "cpu_s": "CPU time", "peak_rss_bytes": "Peak memory"}
    for row in main.over_machines:
        same_pair = (row.case, row.base, row.new) == (speaker.case, speaker.base, speaker.new)
        if not same_pair:
            continue
        if row.metric in labels and row.ratio is not None and row.interval is not None:
            low, high = row.interval
            spread = f"; heterogeneity {share_words(row.i_squared)}" if row.i_squared is not None else ""
            detail = f"{change_words(low)} to {change_words(high)}{spread}"
            if len(row.by_verdict) > 1:  # a mean does not show who pays for it
                detail = f"{row.tally}; {detail}"
            pair = f"{shorten(row.new, 24)} against {shorten(row.base, 24)}, mean of {len(row.weights)} machines"
            yield Tile(labels[row.metric], change_words(row.ratio), pair, detail, row.verdict)
        elif row.metric == "validation":
            yield Tile("Checks", row.tally.partition(" on ")[0], "every check of every output", row.tally, row.verdict)


def _arrange_cases(comparisons: Sequence[Comparison]) -> Iterator[FleetCase]:
    groups: dict[tuple[str, str, str], list[tuple[PooledVerdict, Comparison]]] = {}
    for comparison in comparisons:
        for row in comparison.over_machines:
            groups.setdefault((row.case, row.base, row.new), []).append((row, comparison))
    for number, ((case, base, new), figures) in enumerate(list(groups.items())[:_MOST_CASES], start=1):
        speaker = next((row for row, _ in figures if row.metric == "wall_s"), figures[0][0])
        with chart_style():
            charts = [
                chart
                for row, comparison in figures
                if row.metric in _CHARTED and (chart := _forest(row, comparison, f"f{number}-{row.metric}")) is not None
            ]
        yield FleetCase(
            name=case,
            anchor=f"fleet-{number}",
            pair=f"{shorten(new, 24)} against {shorten(base, 24)}",
            sentence=speaker.sentence,
            verdict=speaker.verdict,
            charts=tuple(charts),
        )


def _forest(row: PooledVerdict, comparison: Comparison, prefix: str) -> Chart | None:
    own = [
        each
        for each in comparison.verdicts
        if (each.case, each.metric, each.base, each.new) == (row.case, row.metric, row.base, row.new)
    ]
    lines = [
        ForestLine(str(each.machine), each.ratio, each.interval, row.weights.get(str(each.machine)), each.verdict)
        for each in own
        if each.ratio is not None
    ]
    mean = None
    if row.ratio is not None and row.interval is not None:
        mean = ForestMean(f"mean of {len(row.weights)}", row.ratio, row.interval, row.prediction)
    words = metric_words(row.metric)
    return forest_chart(
        lines,
        mean,
        title=f"{words[:1].upper()}{words[1:]} on each machine",
        words=f"{words[:1].upper()}{words[1:]} of {shorten(row.new)} against {shorten(row.base)}: {row.tally}",
        margin=row.margin,
        prefix=prefix.replace("_", "-"),
    )
