"""The gate: two tables of runs in, one comparison out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from capbench.errors import ResultError
from capbench.gate.curves.fold_blocks import fold_blocks, is_of_one_point
from capbench.gate.gate_file import BUILT_IN_RULES, GateFile, GateRule, judged_metrics, rule_for
from capbench.gate.history.baseline_figures import Baseline
from capbench.gate.history.baseline_verdicts import BASELINE, baseline_rows
from capbench.gate.judged_metrics import CHECKS, is_curve_figure
from capbench.gate.rule_coverage import check_rules, names_figure, rules_without_curve, untested_rules
from capbench.gate.statistics.holm import holm
from capbench.gate.statistics.inference import Levels
from capbench.gate.verdicts.judge_curves import curve_verdicts, has_curve
from capbench.gate.verdicts.judge_row import Context, row_for, side_labels
from capbench.gate.verdicts.noisy_figures import NoisyRow, judge_noisy, p_better, p_worse
from capbench.gate.verdicts.overall_verdict import joint_sentence, joint_verdict
from capbench.gate.verdicts.pairing import PairedCase, measured_runs, pair_cases
from capbench.gate.verdicts.portable_ratios import is_portable
from capbench.gate.verdicts.stage_attribution import stage_shifts
from capbench.gate.verdicts.validity import Validity, check_validity
from capbench.gate.verdicts.worst_clip import RowKey, name_worst_clip
from capbench.results.comparison import Comparison, MetricVerdict, StageShift, Verdict

__all__ = [
    "ComparedSubjects",
    "GatheredRows",
    "compare",
    "compare_with_baseline",
    "gather_rows",
    "judge_family",
    "summarise",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSubjects:
    """Which subjects of two tables are compared, and what the tables are called."""

    pairs: Sequence[tuple[str, str]] | None = None
    """(base, new) subjects. None for the two where each table holds one, otherwise for each subject with itself."""
    absent: Collection[tuple[str, str]] = ()
    """(case, subject) that were never to run."""
    base_label: str = ""
    """Name of the folder of `base`, where two folders are compared."""
    new_label: str = ""
    """Name of the folder of `new`."""


_OF_EACH_CLIP = (CHECKS, "frames")
"""What every clip of a corpus must be right in; every other figure is judged once, over the clips."""


def compare(
    base: pd.DataFrame,
    new: pd.DataFrame,
    gates: GateFile | None = None,
    *,
    subjects: ComparedSubjects | None = None,
    noise_floor: Mapping[str, float] | None = None,
    levels: Levels | None = None,
    baseline: Baseline | None = None,
    runs: pd.DataFrame | None = None,
) -> Comparison:
    """Judge `new` against `base`, tables with one row a run and the design's field names as columns.

    Pass the whole folder's table filtered by subject: warm-ups and drift controls are recognised by `role`.
    `noise_floor` maps a metric to the relative change that this machine shows without a cause (`capbench calibrate`)
    and widens smaller margins.
    `levels` replaces the gate file's error probabilities, for a look in a sequence of looks.
    `baseline` adds its figures against those of `new` to the same family; `runs` is then the whole table of new's
    folder, because ratios need the floor and `cpu` beside it.
    Raises `ResultError` for tables that cannot be compared.
    """
    gates = gates or GateFile()
    gathered = gather_rows(base, new, gates, subjects=subjects, noise_floor=noise_floor, baseline=baseline, runs=runs)
    return summarise(
        gathered.name_clips(judge_family(gathered.rows, levels or gates.levels)),
        base=gathered.base,
        new=gathered.new,
        shifts=gathered.shifts,
        machines=_machines(base, new),
        warnings=gathered.warnings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredRows:
    """Everything about two tables that can be said before the family of all noisy figures is judged."""

    rows: Sequence[MetricVerdict | NoisyRow]
    """A verdict for each figure that needs no statistics, and the evidence on each that does."""
    base: str
    """What base is called."""
    new: str
    """What new is called."""
    shifts: Sequence[StageShift]
    """How the stages moved."""
    warnings: Sequence[str]
    """What the reader should know."""
    clips: Mapping[RowKey, Sequence[PairedCase]]
    """The clips of each corpus."""

    def name_clips(self, verdicts: Sequence[MetricVerdict]) -> list[MetricVerdict]:
        """The verdicts, with the worst clip of each corpus named."""
        return name_worst_clip(verdicts, self.clips)


def gather_rows(
    base: pd.DataFrame,
    new: pd.DataFrame,
    gates: GateFile,
    *,
    subjects: ComparedSubjects | None = None,
    noise_floor: Mapping[str, float] | None = None,
    baseline: Baseline | None = None,
    runs: pd.DataFrame | None = None,
) -> GatheredRows:
    """What `compare` judges, of the same arguments. Raises `ResultError` for tables that cannot be compared."""
    subjects = subjects or ComparedSubjects()
    context = Context(gates, noise_floor or {}, subjects.base_label, subjects.new_label)
    rows: list[MetricVerdict | NoisyRow] = []
    shifts: list[StageShift] = []
    warnings: list[str] = []
    points = base, new  # a row for each point of a curve, where there are curves
    base, new = (fold_blocks(base),) * 2 if base is new else (fold_blocks(base), fold_blocks(new))
    paired = list(pair_cases(base, new, subjects.pairs, subjects.absent))
    if not paired:
        raise ResultError("the two sides have no case and subject in common; `capbench report` shows what each has")
    compared = [(pair.case, pair.base_subject, pair.new_subject) for pair in paired]
    check_rules(gates.rule, [*base.columns, *new.columns], compared)
    curves = {pair.case for pair in paired if has_curve(pair)}
    for pair in paired:
        validity = check_validity(pair, base, new, gates.gate)
        rows += _rows_of(pair, validity, context)
        if pair.case in curves and not pair.is_clip:
            rows += curve_verdicts(pair, *points, validity, context)
        if not pair.is_clip:
            shifts += stage_shifts(pair, *side_labels(pair, context))
        warnings += [*validity.warnings, *_partial(pair)]
    warnings += untested_rules(gates.rule, compared)
    warnings += rules_without_curve(gates.rule, compared, curves)
    if baseline is None:
        warnings += [
            f"not tested, because no baseline is compared: {rule.claim or rule.metric}" for rule in _ratios(gates)
        ]
    if baseline is not None:
        judged = {subject for _, _, subject in compared}
        of_baseline = baseline_rows(new if runs is None else fold_blocks(runs), baseline, gates)
        rows += (row for row in of_baseline if _labels(row)["new"] in judged)
    clips: dict[RowKey, list[PairedCase]] = {}
    for pair in paired:
        if pair.is_clip:
            clips.setdefault((str(pair.corpus), *side_labels(pair, context)), []).append(pair)
    return GatheredRows(
        rows=rows,
        base=subjects.base_label or _joined(name for _, name, _ in compared),
        new=subjects.new_label or _joined(name for _, _, name in compared),
        shifts=shifts,
        warnings=warnings,
        clips=clips,
    )


def compare_with_baseline(runs: pd.DataFrame, baseline: Baseline, gates: GateFile | None = None) -> Comparison:
    """Judge the machine-independent figures of `runs`, from any machine, against a committed baseline.

    Raises `ResultError` where they share no case and subject.
    """
    gates = gates or GateFile()
    runs = fold_blocks(runs)
    rows: list[MetricVerdict | NoisyRow] = list(baseline_rows(runs, baseline, gates))
    if not rows:
        raise ResultError("the runs and the baseline have no case and subject in common")
    for case, subject in dict.fromkeys((row["case"], row["subject"]) for _, row in measured_runs(runs).iterrows()):
        if any(_is_of(row, case, subject) for row in rows):
            rows.append(_checks_of(runs, case, subject, gates))
    verdicts = judge_family(rows, gates.levels)
    compared = [(row.case, BASELINE, row.new) for row in verdicts]
    check_rules(gates.rule, map(str, runs.columns), compared)
    machine_bound = [
        f"not tested, because it does not compare across machines: {rule.claim or rule.metric}"
        for rule in gates.rule
        if rule.judge and not rule.is_glob and not is_portable(rule.metric) and rule.metric != CHECKS
    ]
    return summarise(
        verdicts,
        base=BASELINE,
        new=_joined(row.new for row in verdicts),
        machines=_machines(runs),
        warnings=[*untested_rules(gates.rule, compared), *machine_bound],
    )


def _is_of(row: MetricVerdict | NoisyRow, case: str, subject: str) -> bool:
    labels = _labels(row)
    return labels["case"] == case and labels["new"] == subject


def _labels(row: MetricVerdict | NoisyRow) -> dict[str, str]:
    return row.labels if isinstance(row, NoisyRow) else {"case": row.case, "new": row.new}


def _checks_of(runs: pd.DataFrame, case: str, subject: str, gates: GateFile) -> MetricVerdict:
    """The validation row of one subject, which needs no other side: it is paired with itself."""
    own = runs[(runs["case"] == case) & (runs["subject"] == subject)]
    pair = next(pair_cases(own, own))
    validity = check_validity(pair, own, own, gates.gate)
    row = row_for(pair, CHECKS, GateRule(metric=CHECKS), validity, Context(gates, {}, "", ""))
    assert isinstance(row, MetricVerdict)
    return row.model_copy(update={"base": BASELINE})


def judge_family(rows: Iterable[MetricVerdict | NoisyRow], levels: Levels) -> list[MetricVerdict]:
    """Judge all noisy rows as one family per direction (Holm); other rows are verdicts already and pass through."""
    listed = list(rows)
    noisy = [row for row in listed if isinstance(row, NoisyRow)]
    worse = [p_worse(row, levels, len(noisy)) for row in noisy]
    better = [p_better(row, levels, len(noisy)) for row in noisy]
    judged = iter(
        judge_noisy(row, worse=up, better=down, levels=levels, family_size=len(noisy))
        for row, up, down in zip(
            noisy, zip(worse, holm(worse), strict=True), zip(better, holm(better), strict=True), strict=True
        )
    )
    return [next(judged) if isinstance(row, NoisyRow) else row for row in listed]


def summarise(
    verdicts: Iterable[MetricVerdict],
    *,
    base: str,
    new: str,
    shifts: Iterable[StageShift] = (),
    machines: Iterable[str] = (),
    warnings: Iterable[str] = (),
) -> Comparison:
    """Join verdicts; a case whose output failed validation cannot be called the same or better in anything."""
    stripped = _without_praise_for_broken_output(list(verdicts))
    moved = tuple(shifts)
    verdict = joint_verdict(stripped)
    return Comparison(
        base=base,
        new=new,
        verdict=verdict,
        sentence=joint_sentence(verdict, stripped, moved),
        verdicts=tuple(stripped),
        stage_shifts=moved,
        machines=tuple(machines),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _rows_of(pair: PairedCase, validity: Validity, context: Context) -> Sequence[MetricVerdict | NoisyRow]:
    """One row for each figure that a rule matches; an own glob without any measured figure has one too."""
    own = context.gates.rule
    rules = (*BUILT_IN_RULES, *own)
    key = (pair.case, pair.base_subject, pair.new_subject)
    columns = dict.fromkeys(map(str, (*pair.base_runs.columns, *pair.new_runs.columns)))
    names = judged_metrics(rules, (name for name in columns if not _is_text(pair, name)))
    if pair.is_clip:
        names, own = tuple(name for name in names if name in _OF_EACH_CLIP), ()
    elif pair.is_corpus:
        names = tuple(name for name in names if name == CHECKS or name not in _OF_EACH_CLIP)
    empty = (rule.metric for rule in own if rule.is_glob and not any(fnmatchcase(name, rule.metric) for name in names))
    found = []
    for name in dict.fromkeys((*names, *empty)):
        if _is_ratio(name) or is_curve_figure(name):
            continue  # only a baseline is compared by ratios, and curves have rows of their own
        if has_curve(pair) and is_of_one_point(name):
            continue  # what one point has, the curve has at another: only the curves compare
        rule = rule_for(rules, metric=name, case=pair.case, base=pair.base_subject, new=pair.new_subject)
        if rule is None:
            continue
        row = row_for(pair, name, rule, validity, context, is_named=names_figure(own, name, key))
        if row is not None:
            found.append(row)
    return list(_one_for_all(found)) if pair.base.empty else found


def _one_for_all(rows: Sequence[MetricVerdict | NoisyRow]) -> Iterable[MetricVerdict | NoisyRow]:
    """Where no block has a figure on both sides, one row for each reason says so: the time's, or else the first."""
    kept: dict[tuple[str, ...], MetricVerdict | NoisyRow] = {}
    for row in sorted(rows, key=lambda row: not (isinstance(row, MetricVerdict) and row.metric == "wall_s")):
        kept.setdefault(row.reasons if isinstance(row, MetricVerdict) else (), row)
    return kept.values()


def _is_text(pair: PairedCase, name: str) -> bool:
    """Whether a column holds words, as a sensor's may: a glob that happens to match it does not mean it."""
    sides = (runs[name] for runs in (pair.base_runs, pair.new_runs) if name in runs.columns)
    return any(
        column.map(lambda cell: isinstance(cell, str)).any()
        for column in sides
        if not pd.api.types.is_numeric_dtype(column.dtype)
    )


def _is_ratio(metric: str) -> bool:
    return "/" in metric


def _ratios(gates: GateFile) -> list[GateRule]:
    return [rule for rule in gates.rule if _is_ratio(rule.metric) and rule.judge]


def _without_praise_for_broken_output(verdicts: list[MetricVerdict]) -> list[MetricVerdict]:
    broken = {
        (row.case, row.base, row.new): row.reasons
        for row in verdicts
        if row.metric == CHECKS and row.verdict is Verdict.INVALID
    }
    return [
        row.model_copy(
            update={
                "verdict": Verdict.INVALID,
                "reasons": (*row.reasons, *reasons),
                "sentence": f"{row.sentence}; invalid, {'; '.join(reasons)}",
            }
        )
        if row.verdict in (Verdict.BETTER, Verdict.SAME, Verdict.UNDECIDED)
        and (reasons := broken.get((row.case, row.base, row.new)))
        else row
        for row in verdicts
    ]


def _partial(pair: PairedCase) -> list[str]:
    lost = max(len(pair.base_runs), len(pair.new_runs)) - len(pair.base)
    if lost <= 0 or pair.base.empty:
        return []
    return [f"{pair.case}: {lost} runs of {pair.base_subject} or {pair.new_subject} have no finished partner"]


def _machines(*tables: pd.DataFrame) -> list[str]:
    return sorted(
        {str(name) for runs in tables if "fingerprint" in runs.columns for name in runs["fingerprint"].dropna()}
    )


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
