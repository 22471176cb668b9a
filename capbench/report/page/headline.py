"""The verdict in one sentence, and the figures that stand beneath it on the first screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capbench.report.aggregate import Cell
from capbench.report.wording import (
    change_words,
    effect_words,
    interval_words,
    is_main_metric,
    is_quality_metric,
    metric_words,
    seconds_words,
    shorten,
)
from capbench.results import Comparison, MetricVerdict, Verdict

__all__ = ["Headline", "Tile", "compose_headline", "main_case"]

_USUAL_SUBJECT = "gpu"
_LARGEST_SEEN = 10.0
"""Ratio from which "would have been seen" says no more than that the blocks see nothing."""
_LONGEST_REASON = 80
"""Characters of a reason in the heading: it and what is around it stay within two lines of a desktop."""
Cells = Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the first screen."""

    label: str
    """What it is."""
    figure: str
    """The figure, or a word."""
    pair: str
    """Which subject, against which base, in which case."""
    detail: str
    """Interval, what was judged, or why there is no figure."""
    verdict: Verdict
    """Decides the colour."""


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader takes away in ten seconds."""

    heading: str
    """The verdict in one sentence."""
    verdict: Verdict
    """Joint outcome; not applicable where nothing could be compared."""
    tiles: tuple[Tile, ...]
    """At most four figures."""
    outlook: str = ""
    """What the blocks could have seen and how many more would decide, where the time is undecided."""

    @property
    def sentence(self) -> str:
        """Heading and outlook, for places that have no second line."""
        return f"{self.heading}; {self.outlook}" if self.outlook else self.heading


def main_case(cells: Cells) -> str | None:
    """The case that speaks for the matrix: the largest picture, then the longest; None without cases."""

    def weight(case: str) -> tuple[float, float]:
        runs = [file.run for cell in cells[case].values() for file in cell.measured]
        pixels = max(((run.width or 0) * (run.height or 0) for run in runs), default=0)
        return (pixels, max((run.frames or 0 for run in runs), default=0))

    return max(cells, key=weight, default=None)


def compose_headline(comparison: Comparison | None, cells: Cells) -> Headline:
    """The sentence and tiles of one comparison; without one, what was measured or why nothing was."""
    finished = any(cell.measured for subjects in cells.values() for cell in subjects.values())
    if comparison is None or not finished:
        return Headline(_uncompared(cells), Verdict.NOT_APPLICABLE, ())
    case, new = _spokesman(comparison, cells)
    found = {item.metric: item for item in comparison.verdicts if item.case == case and item.new == new}
    wall, memory = found.get("wall_s"), found.get("peak_rss_bytes")
    quality = _quality(comparison, cells)
    others, outlook = _other_cases(comparison, case, new), ""
    if wall is not None and _is_open(wall):
        # What is counted is known after one block, and says more than that the time is not known yet.
        counted = "" if quality.is_bad else _readback_words(found.get("readback_bytes"))
        known = ", ".join(part for part in (counted, quality.words, _memory_words(memory)) if part)
        sentence = f"{_pair_words(wall, case)}: {known}; {_open_time_words(wall)}"
        outlook = _outlook_words(wall)
    else:
        parts = [_speed_words(comparison, case, wall), quality.words, _memory_words(memory)]
        sentence = ", ".join(part for part in parts if part)
    sentence += f"; {others}" if others else ""
    tiles = [
        _tile("Export time", wall, case),
        _tile("Peak memory", memory, case),
        _tile("Readback", found.get("readback_bytes"), case),
        _quality_tile(comparison, quality),
    ]
    return Headline(sentence, comparison.verdict, tuple(tile for tile in tiles if tile is not None), outlook)


def _spokesman(comparison: Comparison, cells: Cells) -> tuple[str | None, str | None]:
    """Case and subject that speak for a comparison: the largest picture, and `gpu` where several were judged."""
    cases = list(dict.fromkeys(item.case for item in comparison.verdicts))
    main = main_case(cells)
    # Of a corpus the clips together are judged, not the one with the largest picture.
    corpus = next(
        (file.run.corpus for cell in cells.get(main or "", {}).values() for file in cell.measured if file.run.corpus),
        None,
    )
    case = next((name for name in (corpus, main) if name in cases), next(iter(cases), None))
    subjects = list(dict.fromkeys(item.new for item in comparison.verdicts if item.case == case))
    return case, _USUAL_SUBJECT if _USUAL_SUBJECT in subjects else next(iter(subjects), None)


def _uncompared(cells: Cells) -> str:
    runs = [cell for subjects in cells.values() for cell in subjects.values()]
    finished = [cell for cell in runs if cell.measured]
    failed = sum(len(cell.failed) for cell in runs)
    if not runs:
        return "Nothing was measured: no block has a run"
    if not finished:
        return f"Nothing was measured: no run finished, {failed} failed"
    case = main_case(cells) or finished[0].case
    timed = ", ".join(
        f"{shorten(subject)} {seconds_words(cell.median('wall_s'))}"
        for subject, cell in cells[case].items()
        if cell.measured
    )
    words = f"{shorten(case)} takes {timed}" if timed else f"{len(finished)} of {len(runs)} subjects finished"
    return f"{words}; nothing was compared" + (f", {failed} runs failed" if failed else "")


def _speed_words(comparison: Comparison, case: str | None, wall: MetricVerdict | None) -> str:
    where = shorten(case or "nothing")
    if wall is None:
        return f"{shorten(comparison.new)} against {shorten(comparison.base)}: no wall time to compare"
    new, base = shorten(wall.new), shorten(wall.base)
    if wall.verdict is Verdict.INVALID:
        reason = _reason_words(wall)
        return f"{new} cannot be judged against {base} at {where}{reason}"
    if wall.verdict is Verdict.NOT_APPLICABLE:
        reason = _reason_words(wall)
        return f"the time of {new} against {base} at {where} is not judged{reason}"
    if wall.ratio is None:
        return f"{_pair_words(wall, case)}: time undecided"
    if wall.verdict is Verdict.SAME and not wall.is_promising:
        within = f" within {wall.margin:.0%}" if wall.margin else ""
        return f"{new} exports {where} in the same time as {base}{within}{_spaced(wall)}"
    if wall.ratio >= 2:
        return f"{new} takes {wall.ratio:.1f} times as long as {base} to export {where}{_spaced(wall)}"
    amount = effect_words(wall, digits=_digits(wall))
    doubt = " (too few blocks to show an improvement)" if wall.is_promising else ""
    return f"{new} exports {where} in {amount} time than {base}{_spaced(wall)}{doubt}"


def _reason_words(verdict: MetricVerdict) -> str:
    """The first reason in a few words: a command's own message may be pages long, and this is a heading."""
    return f": {shorten(verdict.reasons[0], _LONGEST_REASON)}" if verdict.reasons else ""


def _is_open(wall: MetricVerdict) -> bool:
    return wall.verdict is Verdict.UNDECIDED and wall.ratio is not None


def _pair_words(wall: MetricVerdict, case: str | None) -> str:
    return f"{shorten(wall.new)} against {shorten(wall.base)} at {shorten(case or 'nothing')}"


def _open_time_words(wall: MetricVerdict) -> str:
    return f"time undecided, {effect_words(wall, digits=_digits(wall))} so far{_spaced(wall)}"


def _outlook_words(wall: MetricVerdict) -> str:
    """What these blocks would have seen, and what would decide."""
    words = []
    if wall.detectable_ratio is not None and 1 < wall.detectable_ratio < _LARGEST_SEEN:
        words.append(f"{wall.blocks} blocks see a slowdown of {wall.detectable_ratio - 1:.0%} or more")
    if wall.blocks_needed:
        words.append(f"{wall.blocks_needed} more would decide")
    return ", ".join(words)


def _readback_words(readback: MetricVerdict | None) -> str:
    """Counted bytes, where they differ."""
    if readback is None or readback.ratio is None or readback.verdict not in (Verdict.BETTER, Verdict.WORSE):
        return ""
    return f"readback {effect_words(readback)}"


def _memory_words(memory: MetricVerdict | None) -> str:
    """What the sentence says of memory: nothing where nothing is known."""
    if memory is None or memory.ratio is None:
        return ""
    if memory.verdict is Verdict.SAME:
        return "memory not higher" if memory.is_promising else "memory unchanged"
    known = memory.verdict in (Verdict.BETTER, Verdict.WORSE)
    return f"memory {change_words(memory.ratio, 'lower', 'higher', digits=0)}" if known else ""


def _spaced(verdict: MetricVerdict) -> str:
    """The interval behind a space, rounded like the sentence: ` [41, 45]%`."""
    words = interval_words(verdict, digits=_digits(verdict))
    return f" {words}".replace(", ", ",\N{NO-BREAK SPACE}") if words else ""


def _digits(verdict: MetricVerdict) -> int:
    """Decimals of a percentage in the sentence: one where the change is so small that it would round away."""
    return 1 if verdict.ratio is not None and abs(1 - verdict.ratio) < 0.1 else 0


@dataclass(frozen=True, slots=True)
class _Quality:
    """What all cases together say about what is in the outputs."""

    words: str
    verdict: Verdict
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        return self.verdict in (Verdict.INVALID, Verdict.WORSE)


def _quality(comparison: Comparison, cells: Cells) -> _Quality:
    """Failed checks before worse figures, those before what could not be decided or was not looked at."""
    judged_subjects = {verdict.new for verdict in comparison.verdicts}
    every = (cell for subjects in cells.values() for cell in subjects.values())
    broken = [cell for cell in every if cell.subject in judged_subjects and cell.invalid]
    if broken:
        reason = f"{shorten(broken[0].case)}: {', '.join(broken[0].failing_checks)}"
        return _Quality(f"validation failed {_where([cell.case for cell in broken])}", Verdict.INVALID, reason)
    judged = [verdict for verdict in comparison.verdicts if is_quality_metric(verdict.metric)]
    worse = [verdict for verdict in judged if verdict.verdict is Verdict.WORSE]
    if worse:
        return _Quality(f"quality worse {_where([item.case for item in worse])}", Verdict.WORSE, worse[0].sentence)
    decided = [item for item in judged if item.verdict in (Verdict.SAME, Verdict.BETTER, Verdict.UNDECIDED)]
    if not decided:
        return _Quality(
            "quality not judged", Verdict.UNDECIDED, judged[0].sentence if judged else "nothing was measured"
        )
    undecided = [item for item in decided if item.verdict is Verdict.UNDECIDED]
    if undecided:
        return _Quality("quality undecided", Verdict.UNDECIDED, undecided[0].sentence)
    better = [item for item in decided if item.verdict is Verdict.BETTER]
    if better:
        reason = f"{metric_words(better[0].metric)} {effect_words(better[0])} at {shorten(better[0].case)}"
        return _Quality("quality better", Verdict.BETTER, reason)
    return _Quality("quality not worse" if any(map(_moved, decided)) else "quality unchanged", Verdict.SAME)


def _moved(verdict: MetricVerdict) -> bool:
    """Whether a figure that is not worse is not the same either, by its own margin."""
    return verdict.difference is not None and abs(verdict.difference) > (verdict.margin or 0.0)


def _where(cases: Sequence[str]) -> str:
    names = list(dict.fromkeys(cases))
    return f"at {shorten(names[0])}" if len(names) == 1 else f"in {len(names)} cases"


def _other_cases(comparison: Comparison, case: str | None, subject: str | None) -> str:
    """`1 case undecided, 2 cases worse`: the worst word of each other case, where it is not good news."""
    severity = [Verdict.INVALID, Verdict.WORSE, Verdict.UNDECIDED]
    worst: dict[str, Verdict] = {}
    for verdict in comparison.verdicts:
        if verdict.verdict in severity and (verdict.case, verdict.new) != (case, subject):
            known = worst.get(verdict.case)
            if known is None or severity.index(verdict.verdict) < severity.index(known):
                worst[verdict.case] = verdict.verdict
    counts = Counter(worst.values())
    found = [(word, counts[word]) for word in severity if counts[word]]
    return ", ".join(f"{count} {'case' if count == 1 else 'cases'} {word}" for word, count in found)


def _tile(label: str, verdict: MetricVerdict | None, case: str | None) -> Tile | None:
    if verdict is None or (verdict.ratio is None and verdict.verdict is not Verdict.NOT_APPLICABLE):
        return None
    if verdict.ratio is None:
        reason = "; ".join(verdict.reasons) or verdict.sentence
        return Tile(label, "not judged", _pair_words(verdict, case), reason, verdict.verdict)
    return Tile(label, effect_words(verdict), _pair_words(verdict, case), interval_words(verdict), verdict.verdict)


def _quality_tile(comparison: Comparison, quality: _Quality) -> Tile:
    figure = quality.words.removeprefix("quality ")
    pairs = {(verdict.new, verdict.base) for verdict in comparison.verdicts}
    new, base = pairs.pop() if len(pairs) == 1 else ("", comparison.base)
    pair = f"{shorten(new)} against {shorten(base)}, all cases".removeprefix(" ")
    if quality.verdict is not Verdict.SAME:
        return Tile("Quality", figure, pair, quality.reason, quality.verdict)
    figures = {item.metric for item in comparison.verdicts if item.metric.startswith("quality.")}
    named = sorted({metric_words(metric) for metric in figures if is_main_metric(metric)})
    others = f" and {len(figures) - len(named)} more" if len(figures) > len(named) else ""
    return Tile("Quality", figure, pair, ", ".join(["every check", *named]) + others, quality.verdict)
