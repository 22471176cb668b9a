"""Whether the rules of a gate file match anything: names that no figure has, and rules that nothing matched."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from capbench.errors import GateFileError
from capbench.gate.gate_file import GateRule, matches_pair
from capbench.gate.judged_metrics import (
    CURVE_FIGURES,
    FIGURE_FAMILIES,
    HIGHER_IS_BETTER_TWINS,
    is_curve_figure,
    is_figure,
    known_figures,
)
from capbench.gate.verdicts.portable_ratios import ratio_names
from capbench.results.tidy_table import POOLS

__all__ = ["RowKey", "check_rules", "names_figure", "rules_without_curve", "untested_rules"]

RowKey = tuple[str, str, str]
"""(case, base, new) of a pair that is compared."""
_MOST_NAMED = 3
"""Nearest names in an error: more would be a list to read."""
_UNPREDICTABLE = "telemetry."
"""What a vendor's interface offers depends on the machine: a figure that is not there may be elsewhere."""


def check_rules(
    rules: Sequence[GateRule], columns: Iterable[str] = (), compared: Iterable[RowKey] | None = None
) -> None:
    """Raise `GateFileError` for a rule whose metric no figure has, with the nearest names.

    `columns` are those of the runs at hand. What a stage, an owner of bytes or a sensor is called only runs can tell:
    such a name is wrong where the runs of a pair that the rule matches (`compared`) report others of its family.
    """
    here = [name for name in dict.fromkeys(columns) if is_figure(name)]
    known = dict.fromkeys((*known_figures(), *ratio_names(), *here, *_curve_figures(here)))
    pairs = None if compared is None else list(compared)
    for number, rule in enumerate(rules):
        if any(fnmatchcase(name, _without_pool(rule.metric)) for name in known if name not in HIGHER_IS_BETTER_TWINS):
            continue
        family = next((prefix for prefix in FIGURE_FAMILIES if rule.metric.startswith(prefix)), None)
        is_open = family is not None and not any(name.startswith(family) for name in here)
        is_used = pairs is None or any(matches_pair(rule, *pair) for pair in pairs)
        if family is not None and (is_open or not is_used or family == _UNPREDICTABLE):
            continue
        raise GateFileError(f"rule[{number}].metric: {rule.metric!r} matches no figure{_nearest(rule.metric, known)}")


def _curve_figures(columns: Iterable[str]) -> Iterator[str]:
    """The figures that two curves may have by the metrics that were measured."""
    for name in columns:
        prefix, _, rest = name.partition(".")
        metric, _, pool = rest.partition(".")
        if prefix == "quality" and pool == "mean":
            yield from (f"{kind}.{metric}" for kind in CURVE_FIGURES)


def _without_pool(metric: str) -> str:
    """`bd_rate.vmaf` for `bd_rate.vmaf.p1`; anything else as it is."""
    name, _, pool = metric.rpartition(".")
    return name if is_curve_figure(metric) and "." in name and pool in POOLS else metric


def names_figure(rules: Iterable[GateRule], metric: str, pair: RowKey) -> bool:
    """Whether any of these rules is about a metric of a pair: then it must be measured."""
    return any(
        rule.judge and (metric == rule.metric or fnmatchcase(metric, rule.metric)) and matches_pair(rule, *pair)
        for rule in rules
    )


def rules_without_curve(
    rules: Iterable[GateRule], compared: Iterable[RowKey], curves: Container[str]
) -> tuple[str, ...]:
    """A sentence for each rule about curves that matches pairs of which none has a curve; `curves` are those cases."""
    pairs = list(compared)
    return tuple(
        f"not tested, because no case that it matches has a curve: {rule.claim or rule.metric}"
        for rule in rules
        if rule.judge
        and is_curve_figure(rule.metric)
        and (matched := [pair for pair in pairs if matches_pair(rule, *pair)])
        and not any(case in curves for case, _, _ in matched)
    )


def untested_rules(rules: Iterable[GateRule], compared: Iterable[RowKey]) -> tuple[str, ...]:
    """A sentence for each rule that matches none of the pairs: what it asks does not apply, and nobody tested it."""
    pairs = list(compared)
    return tuple(
        f"not tested, because nothing matched: {rule.claim or rule.metric} (case {', '.join(rule.case)})"
        for rule in rules
        if (rule.claims_an_effect or rule.claim) and not any(matches_pair(rule, *pair) for pair in pairs)
    )


def _nearest(metric: str, known: Iterable[str]) -> str:
    bare = metric.translate({ord(wild): None for wild in "*?[]!"})
    alike = [name for name in known if is_curve_figure(name) == is_curve_figure(metric)]
    close = difflib.get_close_matches(bare, alike, n=_MOST_NAMED, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else "; docs/gate.md lists the figures"
