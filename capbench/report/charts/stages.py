"""Where the time of an export goes: work and waits of each stage, and which stage is the bottleneck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capbench.report.aggregate import Cell
from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import label_row, name_margin_px
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.wording import seconds_words, shorten
from capbench.results import StageTimes

__all__ = ["Bottleneck", "bottleneck_words", "find_bottleneck", "stage_chart"]

_ROW_PX = 22
_NAME_LIMIT = 14
_RENDER_THREAD = ("upload", "render", "readback", "convert")
"""Stages that may take turns on one thread: none of them can go on while another works."""
_ELSEWHERE_IF_WAITING = ("upload", "convert")
"""Those of them that have a thread of their own where they wait for input. Older revisions upload while they render."""
_BUSY = 0.5
"""A stage that works less than half of its time waits for others more than they wait for it."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that the others wait for, or the stages of a thread."""

    stage: str
    """Its name, or the thread's with those of its stages."""
    parts: tuple[str, ...]
    """The stages that it is."""
    work_s: float
    """Its work, in seconds."""
    busy_share: float
    """Its work over its work and waits, 0 to 1."""


def find_bottleneck(stages: Mapping[str, StageTimes]) -> Bottleneck | None:
    """The thread with the most work: in a pipeline of threads it alone sets the pace.

    None without stages, and where the busiest does not say how long it waited.
    """
    threads = _threads(stages)
    if not threads:
        return None
    parts = max(threads, key=lambda names: sum(stages[name].work_s for name in names))
    times = [stages[name] for name in parts]
    if any(part.wait_input_s is None and part.wait_output_s is None for part in times):
        return None
    work_s = sum(part.work_s for part in times)
    whole_s = work_s + sum((part.wait_input_s or 0.0) + (part.wait_output_s or 0.0) for part in times)
    name = parts[0] if len(parts) == 1 else f"the render thread ({', '.join(parts)})"
    return Bottleneck(name, parts, work_s, work_s / whole_s if whole_s else 0.0)


def _threads(stages: Mapping[str, StageTimes]) -> list[tuple[str, ...]]:
    """The stages of each thread."""
    present = [name for name in _RENDER_THREAD if name in stages]
    shared = tuple(name for name in present if name not in _ELSEWHERE_IF_WAITING or stages[name].wait_input_s == 0)
    alone: list[tuple[str, ...]] = [(name,) for name in stages if name not in shared]
    return [*alone, shared] if shared else alone


def bottleneck_words(subject: str, bottleneck: Bottleneck) -> str:
    """Which stage holds up a subject; none does where even the busiest waits most of its time."""
    name, share = shorten(bottleneck.stage, 80), f"{bottleneck.busy_share:.0%} busy"
    if bottleneck.busy_share < _BUSY:
        return f"{shorten(subject)} has no bottleneck: its busiest stage is {name} ({share})"
    return f"{shorten(subject)} is limited by {name} ({share})"


def stage_chart(cells: Mapping[str, Cell], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Stages of every subject as bars of work, waiting for input, waiting for room. None where none reports them."""
    shown = {name: stages for name, cell in cells.items() if (stages := cell.stages())}
    if not shown:
        return None
    count = sum(len(stages) + 1 for stages in shown.values())
    canvas = Canvas(height_px=count * _ROW_PX + 52)
    names = [stage for stages in shown.values() for stage in stages]
    left = name_margin_px(names, _NAME_LIMIT, least_px=104, bold=True, size_px=11)
    axes = canvas.axes(left=left, top=6, right=74, bottom=44)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds, median over runs")
    axes.locator_params(axis="x", nbins=5)
    row = 0
    sentences = []
    for subject, stages in shown.items():
        colour = LIGHT[styles[subject].token]
        worst = find_bottleneck(stages)
        label_row(axes, row, canvas.label(subject, 40), offset_px=8 - left, colour=colour, bold=True)
        row += 1
        for stage, times in stages.items():
            is_worst = worst is not None and stage in worst.parts
            axes.barh(row, times.work_s, height=0.66, color=colour)
            waits_s = times.wait_input_s or 0.0  # nothing is drawn of a wait that is not known
            axes.barh(row, waits_s, left=times.work_s, height=0.66, color=LIGHT["band"])
            axes.barh(
                row,
                times.wait_output_s or 0.0,
                left=times.work_s + waits_s,
                height=0.66,
                facecolor=LIGHT["page"],
                edgecolor=LIGHT["line"],
                hatch="////",
                linewidth=0,
            )
            ink = LIGHT["ink"] if is_worst else LIGHT["quiet"]
            label_row(axes, row, canvas.label(stage, _NAME_LIMIT), offset_px=-8, colour=ink, bold=is_worst, size_px=11)
            label_row(axes, row, seconds_words(times.work_s), offset_px=8, colour=ink, bold=is_worst, size_px=11)
            row += 1
        if worst is not None:
            sentences.append(f"{bottleneck_words(subject, worst)}, {seconds_words(worst.work_s)} of work")
    axes.set_xlim(left=0)
    found = f"{'; '.join(sentences)}. " if sentences else ""
    reading = f"{found}Filled: work; pale: waiting for input; hatched: waiting for the next stage."
    return Chart("Stages: work and waits", canvas.to_svg(prefix, f"Stages. {reading}"), reading)
