"""The gate over several machines: every machine judged on its own blocks, and all of them as one family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from capbench.errors import ResultError
from capbench.gate.calibration import noise_floor_for
from capbench.gate.compare import ComparedSubjects, GatheredRows, compare, gather_rows, summarise
from capbench.gate.gate_file import GateFile
from capbench.gate.history.baseline_figures import Baseline
from capbench.gate.over_machines.disagreement import disagreement_words
from capbench.gate.over_machines.machine_attributes import attributes_by_machine
from capbench.gate.statistics.holm import holm
from capbench.gate.statistics.inference import Levels
from capbench.gate.verdicts.noisy_figures import NoisyRow, judge_noisy, p_better, p_worse
from capbench.gate.verdicts.overall_verdict import first_verdict
from capbench.gate.verdicts.pairing import measured_runs
from capbench.gate.verdicts.phrases import counted
from capbench.gate.verdicts.pooled_figures import FigureKey, JudgedMean, figure_key, judge_over_machines, pool_rows
from capbench.results.comparison import Comparison, MachineVerdict, MetricVerdict, PooledVerdict, Verdict
from capbench.results.environment import FleetMachine

__all__ = ["compare_over_machines", "judge_machines", "machines_of"]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The whole family, judged."""

    machines: Mapping[str, list[MetricVerdict]]
    """Verdicts of each machine."""
    means: Mapping[FigureKey, JudgedMean]
    """The mean of each figure that has one."""
    levels: Levels
    """The errors that were allowed."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of one machine besides its runs' figures."""

    attributes: Mapping[str, str]
    """What it is, in words."""
    blocks: int
    """Blocks in which it measured anything."""


def machines_of(*tables: pd.DataFrame) -> tuple[str, ...]:
    """Names of the machines that runs of any table were made on, sorted; empty for folders of one machine."""
    return tuple(
        sorted({str(name) for runs in tables if "machine" in runs.columns for name in runs["machine"].dropna()})
    )


def compare_over_machines(
    base: pd.DataFrame,
    new: pd.DataFrame,
    gates: GateFile | None = None,
    *,
    subjects: ComparedSubjects | None = None,
    baseline: Baseline | None = None,
    runs: pd.DataFrame | None = None,
    machines: Mapping[str, FleetMachine] | None = None,
) -> Comparison:
    """As `compare`, and by and over machines where the runs are of several.

    `machines` is the folder's table, by which machines that disagree are told apart. A machine that only one side has
    is left out with a warning. Raises `ResultError` for tables that cannot be compared, on no machine.
    """
    gates = gates or GateFile()
    names = machines_of(base, new)
    if not names:
        floor = noise_floor_for(gates, new)
        return compare(base, new, gates, subjects=subjects, noise_floor=floor, baseline=baseline, runs=runs)
    gathered: dict[str, GatheredRows] = {}
    warnings: list[str] = []
    for name in names:
        own_base = _of_machine(base, name)
        own_new = own_base if base is new else _of_machine(new, name)
        try:
            gathered[name] = gather_rows(
                own_base,
                own_new,
                gates,
                subjects=subjects,
                noise_floor=noise_floor_for(gates, own_new),
                baseline=baseline,
                runs=None if runs is None else _of_machine(runs, name),
            )
        except ResultError as error:
            warnings.append(f"{name} takes no part: {error}")
    if not gathered:
        raise ResultError(f"no machine can be compared; {warnings[0]}")
    unnamed = sum(int(table["machine"].isna().sum()) for table in (base, new) if "machine" in table.columns)
    if unnamed:
        warnings.append(f"{counted(unnamed, 'run')} without a machine took no part: the others name theirs")
    attributes = attributes_by_machine(machines or {}, base if base is new else pd.concat([base, new]))
    facts = {name: _Facts(attributes.get(name, {}), _blocks_of(_of_machine(new, name))) for name in gathered}
    return _joined(gathered, judge_machines(gathered, gates.levels), facts, warnings)


def judge_machines(gathered: Mapping[str, GatheredRows], levels: Levels) -> _Judged:
    """Judge all noisy figures of all machines, and their means over machines, as one family per direction (Holm)."""
    noisy = [(name, row) for name, rows in gathered.items() for row in rows.rows if isinstance(row, NoisyRow)]
    by_figure: dict[FigureKey, dict[str, NoisyRow]] = {}
    for name, row in noisy:
        by_figure.setdefault(figure_key(row.labels), {})[name] = row
    pooled = [found for key, rows in by_figure.items() if (found := pool_rows(key, rows, levels)) is not None]
    size = len(noisy) + len(pooled)
    worse = [*(p_worse(row, levels, size) for _, row in noisy), *(mean.p_values()[0] for mean in pooled)]
    better = [*(p_better(row, levels, size) for _, row in noisy), *(mean.p_values()[1] for mean in pooled)]
    worse_in_family, better_in_family = holm(worse), holm(better)
    judged = iter(
        judge_noisy(
            row,
            worse=(worse[at], worse_in_family[at]),
            better=(better[at], better_in_family[at]),
            levels=levels,
            family_size=size,
        )
        for at, (_, row) in enumerate(noisy)
    )
    machines = {
        name: rows.name_clips([next(judged) if isinstance(row, NoisyRow) else row for row in rows.rows])
        for name, rows in gathered.items()
    }
    means = {
        mean.key: JudgedMean(mean, worse_in_family[at], better_in_family[at])
        for at, mean in enumerate(pooled, start=len(noisy))
    }
    return _Judged(machines, means, levels)


def _joined(
    gathered: Mapping[str, GatheredRows], judged: _Judged, facts: Mapping[str, _Facts], warnings: Sequence[str]
) -> Comparison:
    by_machine: dict[str, Comparison] = {}
    for name, rows in gathered.items():
        named = [row.model_copy(update={"machine": name}) for row in judged.machines[name]]
        shifts = [shift.model_copy(update={"machine": name}) for shift in rows.shifts]
        by_machine[name] = summarise(named, base=rows.base, new=rows.new, shifts=shifts)
    verdicts = [row for one in by_machine.values() for row in one.verdicts]
    over = tuple(_over_machines(verdicts, judged, {name: fact.attributes for name, fact in facts.items()}))
    first = next(iter(gathered.values()))
    verdict = first_verdict(row.verdict for row in over)
    return Comparison(
        base=first.base,
        new=first.new,
        verdict=verdict,
        sentence=_sentence(verdict, over, len(gathered)),
        verdicts=tuple(verdicts),
        stage_shifts=tuple(shift for one in by_machine.values() for shift in one.stage_shifts),
        machines=tuple(gathered),
        warnings=tuple(dict.fromkeys((*warnings, *_shared_warnings(gathered)))),
        over_machines=over,
        by_machine=tuple(
            MachineVerdict(
                machine=name,
                verdict=one.verdict,
                sentence=one.sentence,
                blocks=facts[name].blocks,
                attributes=dict(facts[name].attributes),
            )
            for name, one in by_machine.items()
        ),
    )


def _over_machines(
    verdicts: Sequence[MetricVerdict], judged: _Judged, attributes: Mapping[str, Mapping[str, str]]
) -> Iterable[PooledVerdict]:
    groups: dict[FigureKey, list[MetricVerdict]] = {}
    for row in verdicts:
        groups.setdefault((row.case, row.metric, row.base, row.new), []).append(row)
    for key, rows in groups.items():
        mean = judged.means.get(key)
        yield judge_over_machines(rows, mean, judged.levels, disagreement_words(rows, attributes))


def _sentence(verdict: Verdict, over: Sequence[PooledVerdict], machines: int) -> str:
    """The verdict over machines in one sentence, with the figure that weighs most."""
    rows = [row for row in over if row.verdict is verdict]
    over_all = f"over {counted(machines, 'machine')}"
    if not rows:
        return f"Not applicable {over_all}: nothing to compare."
    heaviest = min(rows, key=lambda row: {"validation": 0, "frames": 1, "wall_s": 2}.get(row.metric, 3))
    if verdict is Verdict.BETTER:
        heaviest = min(rows, key=lambda row: row.metric != "wall_s")
    others = f" (and {counted(len(rows) - 1, 'other figure')})" if len(rows) > 1 else ""
    if verdict is Verdict.SAME:
        return f"Same {over_all}: none of {len(rows)} figures is worse on any."
    return f"{verdict.value.replace('_', ' ').capitalize()} {over_all}: {heaviest.sentence}{others}."


def _shared_warnings(gathered: Mapping[str, GatheredRows]) -> Iterable[str]:
    """Each warning once, with the machines that it is about."""
    about: dict[str, list[str]] = {}
    for name, rows in gathered.items():
        for words in dict.fromkeys(rows.warnings):
            about.setdefault(words, []).append(name)
    for words, names in about.items():
        everywhere = len(names) == len(gathered)
        few = f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        yield words if everywhere else f"{few}: {words}"


def _of_machine(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    return runs[runs["machine"] == name] if "machine" in runs.columns else runs.iloc[:0]


def _blocks_of(runs: pd.DataFrame) -> int:
    measured = measured_runs(runs)
    return int(measured["block"].nunique()) if len(measured) else 0
