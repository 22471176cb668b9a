"""The tables of a fleet's page: every machine's own figures, and every figure over machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from capbench.gate.verdicts.phrases import share_words
from capbench.report.wording import MISSING, change_words, interval_words, metric_words, shorten, value_words
from capbench.results import Comparison, MetricVerdict, Verdict
from capbench.results.comparison import PooledVerdict

__all__ = ["MachineRow", "OverRow", "arrange_machine_rows", "arrange_over_rows"]

_COSTS = ("cpu_s", "peak_rss_bytes")
"""Figures of the table of machines besides wall time."""


@dataclass(frozen=True, slots=True)
class MachineRow:
    """One subject of one case on one machine."""

    machine: str
    """Name of the machine."""
    link: str
    """Relative URL of its own page, empty where none is written."""
    case: str
    """Name of the case."""
    pair: str
    """New against base."""
    verdict: Verdict
    """On wall time; of all figures where time was not judged."""
    label: str
    """The verdict in a word or two."""
    effect: tuple[str, float | None]
    """Wall time against base, in words and for sorting."""
    interval: str
    """Of the effect."""
    figures: tuple[tuple[str, float | None], ...]
    """CPU time and peak memory against base; median wall time of base and of new, which compare on this machine only;
    share in the mean over machines."""
    blocks: int
    """Paired blocks."""
    attributes: tuple[str, str, str]
    """Graphics or adapter, system, tags."""


@dataclass(frozen=True, slots=True)
class OverRow:
    """One figure over machines."""

    case: str
    """Name of the case."""
    pair: str
    """New against base."""
    figure: str
    """Its name in words."""
    verdict: Verdict
    """Over machines."""
    effect: tuple[str, float | None]
    """Mean over machines, in words and for sorting."""
    interval: str
    """Of the mean."""
    prediction: str
    """Where one more machine would be."""
    heterogeneity: tuple[str, float | None]
    """I squared."""
    spread: tuple[str, float | None]
    """Standard deviation of true effects between machines."""
    tally: str
    """Which machines agree."""


def arrange_machine_rows(comparisons: Sequence[Comparison], links: Mapping[str, str]) -> tuple[MachineRow, ...]:
    """A row for each machine, case and pair of subjects, in the order of machines."""
    return tuple(row for comparison in comparisons for row in _rows_of(comparison, links))


def _rows_of(comparison: Comparison, links: Mapping[str, str]) -> Iterator[MachineRow]:
    found: dict[tuple[str, str, str, str], dict[str, MetricVerdict]] = {}
    for row in comparison.verdicts:
        found.setdefault((str(row.machine), row.case, row.base, row.new), {})[row.metric] = row
    weights = {(row.case, row.base, row.new): row.weights for row in comparison.over_machines if row.metric == "wall_s"}
    about = {one.machine: one for one in comparison.by_machine}
    for (machine, case, base, new), figures in found.items():
        speaker = figures.get("wall_s") or next(iter(figures.values()))
        weight = weights.get((case, base, new), {}).get(machine)
        attributes = about[machine].attributes
        yield MachineRow(
            machine=machine,
            link=links.get(machine, ""),
            case=case,
            pair=f"{shorten(new, 24)} against {shorten(base, 24)}",
            verdict=speaker.verdict,
            label=speaker.label,
            effect=_effect(speaker),
            interval=interval_words(speaker),
            figures=(
                *(_effect(figures.get(name)) for name in _COSTS),
                (value_words(speaker.base_median, speaker.metric), speaker.base_median),
                (value_words(speaker.new_median, speaker.metric), speaker.new_median),
                (MISSING, None) if weight is None else (f"{weight:.1%}", weight),
            ),
            blocks=speaker.blocks or about[machine].blocks,
            attributes=(
                attributes.get("adapter", attributes.get("graphics", MISSING)),
                attributes.get("system", MISSING),
                ", ".join(f"{key[4:]}={value}" for key, value in attributes.items() if key.startswith("tag ")),
            ),
        )


def _effect(row: MetricVerdict | PooledVerdict | None) -> tuple[str, float | None]:
    return (MISSING, None) if row is None or row.ratio is None else (change_words(row.ratio), row.ratio)


def arrange_over_rows(comparisons: Sequence[Comparison]) -> tuple[OverRow, ...]:
    """A row for each figure that differs on some machine or has a mean; the others say nothing apart."""
    return tuple(_over_row(row) for comparison in comparisons for row in comparison.over_machines if row.is_noteworthy)


def _over_row(row: PooledVerdict) -> OverRow:
    return OverRow(
        case=row.case,
        pair=f"{shorten(row.new, 24)} against {shorten(row.base, 24)}",
        figure=metric_words(row.metric),
        verdict=row.verdict,
        effect=_effect(row),
        interval=_bounds(row.interval),
        prediction=_bounds(row.prediction),
        heterogeneity=(MISSING, None) if row.i_squared is None else (share_words(row.i_squared), row.i_squared),
        spread=(MISSING, None) if row.tau is None else (f"{row.tau:.1%}", row.tau),
        tally=row.tally,
    )


def _bounds(bounds: tuple[float, float] | None) -> str:
    return MISSING if bounds is None else f"{change_words(bounds[0])} to {change_words(bounds[1])}"
