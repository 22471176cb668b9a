"""Which machines disagree, and what tells them apart: said only where it separates them exactly."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.results.comparison import MetricVerdict, Verdict

__all__ = ["disagreement_words", "separating_attributes"]

_COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_MOST_NAMED = 3
"""Machines that are named; more are counted."""
_MOST_ATTRIBUTES = 3
"""Attributes that are named: where more tell the machines apart, none of them is likely to be the reason."""
_ORDER = (Verdict.WORSE, Verdict.INVALID, Verdict.BETTER, Verdict.SAME, Verdict.UNDECIDED, Verdict.NOT_APPLICABLE)


def separating_attributes(
    apart: Collection[str], others: Collection[str], attributes: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Attributes (name, value) that every machine of `apart` has and none of `others`, most telling first.

    An attribute that is unknown of any machine separates nothing. Groups of fewer than two have none: one machine
    always differs from the others in something.
    """
    if len(apart) < 2 or not others:
        return ()
    first = next(iter(apart))
    found = []
    for name, value in attributes.get(first, {}).items():
        known = [attributes.get(machine, {}).get(name) for machine in others]
        if all(attributes.get(machine, {}).get(name) == value for machine in apart) and all(
            other is not None and other != value for other in known
        ):
            found.append((name, value))
    return tuple(found)


def disagreement_words(verdicts: Sequence[MetricVerdict], attributes: Mapping[str, Mapping[str, str]]) -> str:
    """`faster on 9 of 11, slower on the two with Intel graphics`, from one verdict a machine."""
    groups: dict[Verdict, list[str]] = {}
    for row in verdicts:
        groups.setdefault(row.verdict, []).append(str(row.machine))
    total = len(verdicts)
    words = {verdict: _word(verdict, verdicts[0].metric) for verdict in groups}
    if len(groups) == 1:
        where = f"all {total} machines" if total > 1 else "the machine"
        return f"{words[verdicts[0].verdict]} on {where}"
    largest = max(groups, key=lambda verdict: (len(groups[verdict]), -_ORDER.index(verdict)))
    parts = [f"{words[largest]} on {len(groups[largest])} of {total}"]
    for verdict in sorted(groups, key=_ORDER.index):
        if verdict is not largest:
            others = [machine for other, names in groups.items() if other is not verdict for machine in names]
            parts.append(f"{words[verdict]} on {_group_words(groups[verdict], others, attributes)}")
    return ", ".join(parts)


def _group_words(machines: Sequence[str], others: Sequence[str], attributes: Mapping[str, Mapping[str, str]]) -> str:
    found = separating_attributes(machines, others, attributes)
    if found:
        count = _COUNTS[len(machines)] if len(machines) < len(_COUNTS) else str(len(machines))
        first, *more = [_attribute_words(name, value) for name, value in found[:_MOST_ATTRIBUTES]]
        beside = f" (and no other with {' or with '.join(more)})" if more else ""
        return f"the {count} with {first}{beside}"
    named = list(machines[:_MOST_NAMED])
    if len(machines) == 1:
        graphics = attributes.get(machines[0], {}).get("graphics")
        return f"{machines[0]}{f' ({graphics})' if graphics else ''}"
    if len(machines) > _MOST_NAMED:
        return f"{len(machines)} ({', '.join(named)} and {len(machines) - _MOST_NAMED} more)"
    return f"{', '.join(named[:-1])} and {named[-1]}"


def _attribute_words(name: str, value: str) -> str:
    if name in ("graphics", "adapter", "system", "system version", "processor"):
        return value
    return f"the tag {name[4:]}={value}" if name.startswith("tag ") else f"{name} {value}"


def _word(verdict: Verdict, metric: str) -> str:
    """The verdict as people say it: of a time faster and slower, of what is counted or occupied less and more."""
    kind = describe_metric(metric).kind
    if metric.partition("/")[0] in ("wall_s", "process_wall_s"):
        return {Verdict.BETTER: "faster", Verdict.WORSE: "slower"}.get(verdict, _plain(verdict))
    if kind in (Kind.NOISY, Kind.COUNTED):
        return {Verdict.BETTER: "less", Verdict.WORSE: "more"}.get(verdict, _plain(verdict))
    return _plain(verdict)


def _plain(verdict: Verdict) -> str:
    return "the same" if verdict is Verdict.SAME else verdict.value.replace("_", " ")
