"""A comparison as GitHub markdown: the step summary and the body of a pull-request comment."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.gate.judged_metrics import describe_metric
from capbench.gate.verdicts.phrases import bounds, change, share_words, signed_difference
from capbench.report.formats.grouping import condensed, shared_reasons
from capbench.report.formats.markdown_text import escape_markdown, markdown_list, markdown_paragraph, markdown_table
from capbench.results.comparison import Comparison, MetricVerdict, Verdict

__all__ = ["COMMENT_MARK", "pull_request_comment", "step_summary"]

COMMENT_MARK = "<!-- capbench comparison -->"
"""First line of a comment: whoever posts it finds the comment of the run before and replaces it."""

_SIGNS = {
    Verdict.BETTER: "🟢 better",
    Verdict.SAME: "⚪ same",
    Verdict.WORSE: "🔴 worse",
    Verdict.UNDECIDED: "🟡 undecided",
    Verdict.INVALID: "🔴 invalid",
    Verdict.NOT_APPLICABLE: "⚫ not applicable",
}
_MOST_FAILURES = 5
"""Failed runs that are listed: those of further blocks failed for the same reason."""
_MOST_COMMENT_CHARACTERS = 60_000
"""GitHub refuses a comment of more than 65536 characters."""


def step_summary(comparison: Comparison) -> str:
    """Verdict, every row (harmless quality figures share one), the stages that moved most, and warnings."""
    over = _over_machines(comparison)
    parts = [*_head(comparison), *over, _table(comparison.verdicts), *_stages(comparison), *_warnings(comparison)]
    return "\n\n".join(parts) + "\n"


def pull_request_comment(comparison: Comparison) -> str:
    """The same for a pull request: what matters in sight, the rest folded; at most 60000 characters."""
    plain = (Verdict.SAME, Verdict.NOT_APPLICABLE)
    noteworthy = [row for row in comparison.verdicts if row.verdict not in plain]
    rest = [row for row in comparison.verdicts if row.verdict in plain]
    for shown in (len(rest), 20, 0):
        parts = [COMMENT_MARK, *_head(comparison), *_over_machines(comparison)]
        if noteworthy:
            parts.append(_table(noteworthy))
        parts += _stages(comparison)
        if rest[:shown]:
            left_out = f" (the first {shown})" if shown < len(rest) else ""
            parts.append(
                f"<details><summary>{len(rest)} figures are the same or not applicable{left_out}</summary>\n\n"
                f"{_table(rest[:shown])}\n\n</details>"
            )
        text = "\n\n".join([*parts, *_warnings(comparison)]) + "\n"
        if len(text) <= _MOST_COMMENT_CHARACTERS:
            return text
    return text[:_MOST_COMMENT_CHARACTERS] + "\n\n… truncated; the whole comparison is in the job's artifacts.\n"


def _head(comparison: Comparison) -> list[str]:
    names = f"{escape_markdown(comparison.new)} against {escape_markdown(comparison.base)}"
    return [f"### capbench: {names}: {_SIGNS[comparison.verdict]}", markdown_paragraph(comparison.sentence)]


def _over_machines(comparison: Comparison) -> list[str]:
    """The figures over machines that have a mean, or of which machines disagree; none for one machine."""
    rows = [row for row in comparison.over_machines if row.is_noteworthy]
    if not rows:
        return []
    head = ("case", "subject", "figure", "mean", "interval", "heterogeneity", "machines", "verdict")
    cells = (
        (
            row.case,
            row.new,
            describe_metric(row.metric).words,
            "" if row.ratio is None else change(row.ratio),
            "" if row.interval is None else bounds(*row.interval),
            "" if row.i_squared is None else share_words(row.i_squared),
            row.tally,
            _SIGNS[row.verdict],
        )
        for row in rows
    )
    return [markdown_table(head, cells, to_the_right=("mean", "interval", "heterogeneity"))]


def _table(rows: Sequence[MetricVerdict]) -> str:
    """The subject has a column where there are several, and so has the machine: their figures have the same names."""
    is_mixed = len({(row.base, row.new) for row in rows}) > 1
    on_machines = any(row.machine for row in rows)
    columns = (*(("machine",) if on_machines else ()), *(("subject",) if is_mixed else ()))
    head = ("case", *columns, "figure", "change", "interval", "blocks", "verdict")
    cells = (
        (
            shown.row.case,
            *((shown.row.machine or "",) if on_machines else ()),
            *((shown.row.new,) if is_mixed else ()),
            shown.words,
            _amount(shown.row),
            _interval(shown.row),
            str(shown.row.blocks or ""),
            _SIGNS[shown.row.verdict],
        )
        for shown in condensed(rows)
    )
    return markdown_table(head, cells, to_the_right=("change", "interval", "blocks"))


def _amount(row: MetricVerdict) -> str:
    if row.ratio is not None:
        return change(row.ratio)
    return signed_difference(describe_metric(row.metric), row.difference)


def _interval(row: MetricVerdict) -> str:
    if row.interval is None or row.interval[0] == row.interval[1]:
        return ""
    low, high = row.interval
    return f"{low:+.3f} to {high:+.3f}" if row.difference is not None else bounds(low, high)


def _stages(comparison: Comparison) -> list[str]:
    """The three largest shifts of each case and pair that got slower or faster."""
    moved = dict.fromkeys(
        (row.case, row.base, row.new)
        for row in comparison.verdicts
        if row.metric == "wall_s" and row.verdict in (Verdict.WORSE, Verdict.BETTER)
    )
    lines: list[str] = []
    for pair in moved:
        shifts = [shift for shift in comparison.stage_shifts if (shift.case, shift.base, shift.new) == pair][:3]
        lines += [
            f"{shift.case}, {shift.new}: stage {shift.stage} from {shift.base_s:.3g} s to {shift.new_s:.3g} s, "
            f"{shift.share_of_change:.0%} of the change"
            for shift in shifts
        ]
    return ["Stages that changed most:", markdown_list(lines)] if lines else []


def _warnings(comparison: Comparison) -> Sequence[str]:
    base = (comparison.base_note,) if comparison.base_note else ()
    notes = (*base, *shared_reasons(comparison.verdicts), *comparison.warnings)
    return [*(["Notes:", markdown_list(notes)] if notes else []), *_failures(comparison)]


def _failures(comparison: Comparison) -> Sequence[str]:
    """The first failed runs, with the files that the job's artifacts have of them."""
    lines = [
        f"{failure.case}, {failure.subject}, block {failure.block}: {failure.reason}"
        + "".join(f"; {what}: {path}" for what, path in (("log", failure.log), ("output", failure.output)) if path)
        for failure in comparison.failures[:_MOST_FAILURES]
    ]
    further = len(comparison.failures) - len(lines)
    lines += [f"{further} more; each has a log in runs/"] if further > 0 else []
    return ["Failed runs:", markdown_list(lines)] if lines else []
