"""Which rule holds for one metric of one case, and which metrics are judged at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from capbench.gate.gate_file import GateRule
from capbench.gate.verdicts.judged_metrics import CHECKS, HIGHER_IS_BETTER_TWINS

__all__ = ["BUILT_IN_RULES", "judged_metrics", "rule_for", "unused_rules"]

BUILT_IN_RULES: tuple[GateRule, ...] = (
    GateRule(metric=CHECKS),
    GateRule(metric="frames"),
    # 2% is the smallest change that a person who waits for an export could care about.
    GateRule(metric="wall_s", margin=0.02),
    # CPU time also counts what the kernel does for others on a shared machine.
    GateRule(metric="cpu_s", margin=0.03),
    # The allocator's arenas and the moment of a thread's start move it by some MB.
    GateRule(metric="peak_rss_bytes", margin=0.05),
    GateRule(metric="readback_bytes", margin=0.0),
    GateRule(metric="upload_bytes", margin=0.0),
    # Another rounding in the conversion changes the entropy that the encoder sees by about as much.
    GateRule(metric="output_bytes", margin=0.02),
    # Half a code of bias costs 0.16 dB at 40 dB: the margin must lie below a truncating conversion.
    GateRule(metric="quality.*psnr*.mean", margin=0.1),
    GateRule(metric="quality.*psnr*.p1", margin=0.5),
    GateRule(metric="quality.ssim*.mean", margin=0.001),
    GateRule(metric="quality.ssim*.p1", margin=0.005),
    # Ratios against a baseline of another machine: CPU, disk and core count move them by some percent.
    GateRule(metric="*_s/*", margin=0.10),
    GateRule(metric="*_bytes/*", margin=0.10),
)
"""What holds where a gate file says nothing else."""


def judged_metrics(rules: Iterable[GateRule], columns: Iterable[str]) -> tuple[str, ...]:
    """Metrics that any rule names, and columns that a rule's glob matches, in the order of the rules."""
    known = list(columns)
    names: dict[str, None] = {}
    for rule in rules:
        matched = [rule.metric] if not set(rule.metric) & set("*?[") else known
        names.update(
            (name, None) for name in matched if fnmatchcase(name, rule.metric) and name not in HIGHER_IS_BETTER_TWINS
        )
    return tuple(names)


def rule_for(rules: Sequence[GateRule], *, metric: str, case: str, base: str, new: str) -> GateRule | None:
    """All rules that match, merged in order; None where none does or the last word is not to judge."""
    matching = [rule for rule in rules if _matches(rule, metric, case, base, new)]
    if not matching:
        return None
    merged: dict[str, object] = {}
    for rule in matching:
        merged |= {key: getattr(rule, key) for key in rule.model_fields_set}
    merged_rule = GateRule.model_construct(**{**merged, "metric": metric})  # type: ignore[arg-type]  # checked before
    return merged_rule if merged_rule.judge else None


def unused_rules(rules: Iterable[GateRule], compared: Iterable[tuple[str, str, str]]) -> tuple[GateRule, ...]:
    """Rules whose case and subjects match none of `compared`, rows of (case, base, new): what they ask is untested."""
    rows = list(compared)
    return tuple(
        rule for rule in rules if not any(_matches(rule, rule.metric, case, base, new) for case, base, new in rows)
    )


def _matches(rule: GateRule, metric: str, case: str, base: str, new: str) -> bool:
    named = ((case, rule.case), (base, rule.base), (new, rule.new))
    return (metric == rule.metric or fnmatchcase(metric, rule.metric)) and all(
        any(fnmatchcase(name, glob) for glob in globs) for name, globs in named
    )
