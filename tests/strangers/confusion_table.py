"""Counts of right and wrong outputs, flagged or not, with exact intervals; and as Markdown for docs/validation.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scipy.stats import binomtest

from tests.strangers.faults.planted_faults import FAULTS
from tests.strangers.held_back import HELD_BACK_SEED
from tests.strangers.study_rows import FaultRow, OutputRow, StudyResult

__all__ = ["Share", "disagreements", "meets_goals", "section"]

ALARM_GOAL, FLAG_GOAL, NAME_GOAL = 0.01, 0.99, 0.95
"""Of what limits were tuned on."""
HELD_ALARM_GOAL, HELD_FLAG_GOAL = 0.02, 0.97
"""Of what nobody looked at."""
_Row = TypeVar("_Row", OutputRow, FaultRow)


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    """How many."""
    total: int
    """Of how many."""

    @property
    def value(self) -> float:
        """Share of 0..1; 0 of nothing is 0."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of Clopper and Pearson, which is exact."""
        if not self.total:
            return 0.0, 1.0
        found = binomtest(self.hits, self.total).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        if not self.total:
            return "-"
        low, high = self.interval
        return f"{self.hits} of {self.total}, {self.value:.1%} [{low:.1%}, {high:.1%}]"


def share(rows: Iterable[_Row], counts: Callable[[_Row], bool]) -> Share:
    """Of rows, those that count."""
    found = list(rows)
    return Share(sum(map(counts, found)), len(found))


def right_outputs(result: StudyResult) -> list[OutputRow]:
    """Exports that the referee calls right."""
    return [row for row in result.outputs if row.opinion == "right"]


def _halves(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Row]]:
    return [row for row in rows if not row.held_back], [row for row in rows if row.held_back]


def meets_goals(result: StudyResult) -> bool:
    """Whether alarms, flags and names are within the goals, in both parts. Of few outputs one alarm is allowed."""
    (right, held_right) = _halves(right_outputs(result))
    (wrong, held_wrong) = _halves([row for row in result.faults if row.judged])
    alarms, held_alarms = share(right, _is_flagged), share(held_right, _is_flagged)
    return (
        alarms.hits <= max(1, ALARM_GOAL * alarms.total)
        and held_alarms.hits <= max(1, HELD_ALARM_GOAL * held_alarms.total)
        and bool(right or held_right)
        and (not wrong or share(wrong, _is_flagged).value >= FLAG_GOAL)
        and (not wrong or share(wrong, _is_named).value >= NAME_GOAL)
        and (not held_wrong or share(held_wrong, _is_flagged).value >= HELD_FLAG_GOAL)
    )


def _is_flagged(row: OutputRow | FaultRow) -> bool:
    return row.flagged


def _is_named(row: FaultRow) -> bool:
    return row.named


def section(result: StudyResult) -> Iterator[str]:
    """Lines of the section of docs/validation.md."""
    right, wrong = right_outputs(result), [row for row in result.outputs if row.opinion == "wrong"]
    doubtful = len(result.outputs) - len(right) - len(wrong)
    judged = [row for row in result.faults if row.judged]
    yield (
        f"{result.clips_made} clips, {len(result.outputs)} exports: the referee calls {len(right)} right, "
        f"{len(wrong)} wrong and {doubtful} doubtful. {len(judged)} faults at or above the stated limit were planted "
        "into right ones."
    )
    yield ""
    yield "| | seen while limits were tuned | held back |"
    yield "|---|---|---|"
    yield (
        "| right outputs that raise an alarm | "
        + " | ".join(str(share(part, _is_flagged)) for part in _halves(right))
        + " |"
    )
    yield (
        "| exporters' own wrong outputs that are flagged | "
        + " | ".join(str(share(part, _is_flagged)) for part in _halves(wrong))
        + " |"
    )
    yield (
        "| planted faults that are flagged | "
        + " | ".join(str(share(part, _is_flagged)) for part in _halves(judged))
        + " |"
    )
    yield (
        "| planted faults that are named rightly | "
        + " | ".join(str(share(part, _is_named)) for part in _halves(judged))
        + " |"
    )
    if result.split.families or result.split.exporters:
        yield ""
        yield _what_is_held_back(result)
    second = Counter(
        row.second_decoder.partition(":")[0] for row in result.outputs if row.second_decoder != "not asked"
    )
    asked = {name: count for name, count in second.items() if name.startswith(("same", "differs"))}
    if asked:
        yield ""
        yield "Decoded once more: " + ", ".join(f"{count} {name}" for name, count in sorted(asked.items())) + "."
    yield ""
    yield "| exporter | version | right | of these alarms | wrong | of these flagged | doubtful |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, rows in _grouped(result.outputs, lambda row: row.exporter):
        yield _confusion(f"`{name}` | {rows[0].version}", rows)
    yield ""
    yield "| clips | right | of these alarms | wrong | of these flagged | doubtful |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, rows in _grouped(result.outputs, lambda row: row.family):
        yield _confusion(name, rows)
    yield ""
    yield "| fault | limit | flagged | named | held back: flagged | named | weaker ones: flagged |"
    yield "|---|---|---:|---:|---:|---:|---|"
    by_fault = dict(_grouped(result.faults, lambda row: row.fault))
    for fault in FAULTS:
        planted = by_fault.get(fault.name)
        if planted is None:
            continue
        parts = _halves([row for row in planted if row.judged])
        cells = [
            f"{sum(map(counts, part))}/{len(part)}" if part else "-"
            for part in parts
            for counts in (_is_flagged, _is_named)
        ]
        weak = _grouped([row for row in planted if not row.judged], lambda row: row.strength)
        curve = ", ".join(f"{strength:g}: {sum(map(_is_flagged, part))}/{len(part)}" for strength, part in weak)
        yield f"| {fault.name} | {fault.limit} | " + " | ".join(cells) + f" | {curve} |"
    yield ""
    yield from _exporter_faults(wrong)


def _what_is_held_back(result: StudyResult) -> str:
    drawn = [name for name in result.split.families if name.startswith("drawn-")]
    published = result.split.families - set(drawn)
    return (
        f"Held back: {len(drawn)} clips drawn by seed {HELD_BACK_SEED}; clips that others published, "
        f"{_listed(published)}; exporters {_listed(result.split.exporters)}."
    )


def _exporter_faults(wrong: Sequence[OutputRow]) -> Iterator[str]:
    yield "| exporter and version | what the referee finds wrong | outputs |"
    yield "|---|---|---:|"
    for (exporter, version), rows in _grouped(wrong, lambda row: (row.exporter, row.version)):
        for subject, count in sorted(Counter(subject for row in rows for subject in row.subjects).items()):
            shown = next(row.findings for row in rows if subject in row.subjects)
            yield f"| `{exporter}` {version} | {subject}: {shown.replace('|', '/')[:110]} | {count} |"


def _confusion(first: str, rows: Sequence[OutputRow]) -> str:
    by = defaultdict(list)
    for row in rows:
        by[row.opinion].append(row.flagged)
    cells = [len(by["right"]), sum(by["right"]), len(by["wrong"]), sum(by["wrong"]), len(by["doubtful"])]
    return f"| {first} | " + " | ".join(map(str, cells)) + " |"


_Key = TypeVar("_Key", str, float, tuple[str, str])


def _grouped(rows: Iterable[_Row], key: Callable[[_Row], _Key]) -> list[tuple[_Key, list[_Row]]]:
    groups: dict[_Key, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return sorted(groups.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def disagreements(result: StudyResult) -> Iterator[str]:
    """What validation and referee do not agree on, for the part that may be looked at."""
    for row in result.outputs:
        if row.held_back or row.opinion == "doubtful" or row.flagged == (row.opinion == "wrong"):
            continue
        kind = "false alarm" if row.flagged else "false pass"
        yield f"{kind}: {row.clip} by {row.exporter}: {row.says or row.findings}\n    {row.reference} {row.output}"
    for fault in result.faults:
        if fault.held_back or not fault.judged or (fault.flagged and fault.named):
            continue
        kind = "misnamed" if fault.flagged else "missed"
        what = f"{fault.fault} {fault.strength:g} in {fault.clip} by {fault.exporter}"
        yield f"{kind}: {what}: {fault.says}\n    {fault.reference} {fault.output}"
