"""What the user named to be compared: a folder, one subject of a folder, or a baseline file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from capbench.errors import ResultError
from capbench.files import is_file, is_folder
from capbench.gate.calibration import noise_floor_for
from capbench.gate.compare import ComparedSubjects, compare_with_baseline, summarise
from capbench.gate.failure_evidence import failures_of
from capbench.gate.gate_file import GateFile, load_gate_file
from capbench.gate.history.baseline_figures import Baseline, read_baseline
from capbench.gate.ladder_costs import ladder_costs
from capbench.gate.over_machines.compare_machines import compare_over_machines, machines_of
from capbench.gate.sequential.interim_looks import InterimLook, read_looks
from capbench.gate.sequential.stopping import SequentialGate
from capbench.gate.verdicts.pairing import measured_runs, side_of
from capbench.results.base_subject import USUAL_BASE, base_of_folder
from capbench.results.comparison import Comparison, RunFailure
from capbench.results.environment import FleetMachine
from capbench.results.folder import FolderContents, read_folder
from capbench.results.folder_plan import read_plan
from capbench.results.subject_name import SubjectName, is_export, is_floor
from capbench.results.tidy_table import table_of

__all__ = ["CompareTarget", "compare", "compare_folder", "compare_sides", "parse_side"]


@dataclass(frozen=True, slots=True)
class CompareTarget:
    """One of the two arguments of `capbench compare`."""

    path: Path
    """A result folder, or a baseline file."""
    subject: str | None = None
    """None for all subjects of the folder; `@REV` for all that `capbench run --against REV` added."""

    @property
    def revision(self) -> str:
        """The revision of `@REV`; empty for one subject and for all."""
        name = SubjectName.parse(self.subject or "")
        return "" if name.subject else name.revision

    @property
    def is_baseline(self) -> bool:
        """Whether the path is a file."""
        return self.path.suffix == ".json"


def parse_side(text: str) -> CompareTarget:
    """`DIR`, `DIR:SUBJECT`, `DIR:@REV` or `BASELINE.json`. Raises `ResultError` where neither reading exists."""
    path = Path(text)
    if is_file(path) or is_folder(path) or ":" not in text:
        return CompareTarget(path)
    folder, _, subject = text.rpartition(":")
    if not subject or not folder:
        raise ResultError(f"cannot read {text!r}: write DIR or DIR:SUBJECT")
    return CompareTarget(Path(folder), subject)


def compare_folder(folder: Path, gates: GateFile | None = None, *, base: str | None = None) -> Comparison:
    """Judge every subject of a folder against its base, all as one gate, as `capbench run --until-decided` does.

    `base` replaces the folder's own; see `capbench.results.base_subject`. Raises `ResultError`, and `InputError` for a
    base that is not there.
    """
    if not folder.is_dir() and (":" in folder.name or CompareTarget(folder).is_baseline):
        raise ResultError(f"{folder} is not a folder, so it needs NEW: what to compare with it")
    contents = read_folder(folder)
    plan = read_plan(folder)
    choice = base_of_folder(plan, contents.runs, asked=base)
    if not choice.pairs:
        raise ResultError(
            f"nothing to compare in {folder}: it has {f'only {choice.name}' if choice.name else 'no subject'}"
        )
    judged_by, table = gates or GateFile(), table_of([contents])
    comparison = _judge_pairs(folder, choice.pairs, table, judged_by, contents.machines)
    return comparison.model_copy(
        update={
            # Seconds of two machines do not meet: of several, each machine's page has the costs of its own.
            "ladders": ()
            if machines_of(table)
            else ladder_costs(table, plan.ladders, judged_by.levels, subjects=plan.subjects),
            "warnings": (*comparison.warnings, *contents.problems),
            "failures": failures_of([contents]),
            "base_note": choice.sentence,
        }
    )


def compare_sides(base: CompareTarget, new: CompareTarget, gates: GateFile | None = None) -> Comparison:
    """Load what was named and judge it, with the baseline and the calibration of the gate file where it names them.

    A folder that was made with `--until-decided` is judged with the error its looks were allowed. Raises `ResultError`.
    """
    if new.is_baseline:
        raise ResultError(f"{new.path} is a baseline and can only be BASE; name it first")
    contents = {path: read_folder(path) for path in dict.fromkeys((base.path, new.path)) if path.suffix != ".json"}
    tables = {path: table_of([content]) for path, content in contents.items()}
    machines = {name: machine for content in contents.values() for name, machine in content.machines.items()}
    comparison = _compare_tables(base, new, tables, gates or GateFile(), machines)
    problems = [problem for content in contents.values() for problem in content.problems]
    return comparison.model_copy(
        update={"warnings": (*comparison.warnings, *problems), "failures": _failures(base, new, contents)}
    )


def _failures(
    base: CompareTarget, new: CompareTarget, contents: Mapping[Path, FolderContents]
) -> tuple[RunFailure, ...]:
    """Those of the subjects that were named, or of all."""
    named = {side.subject for side in (base, new) if side.subject is not None and not side.revision}
    found = failures_of(contents.values())
    return tuple(failure for failure in found if not named or failure.subject in named)


def _compare_tables(
    base: CompareTarget,
    new: CompareTarget,
    tables: Mapping[Path, pd.DataFrame],
    gates: GateFile,
    machines: Mapping[str, FleetMachine],
) -> Comparison:
    runs = tables[new.path]
    if base.is_baseline:
        if machines_of(runs):
            raise ResultError(
                f"{new.path} has runs of several machines; name {base.path} as the baseline of a gate file, which is "
                "judged on each of them"
            )
        chosen = runs if new.subject is None else _of_subject(runs, new, keep_references=True)
        return compare_with_baseline(chosen, read_baseline(base.path), gates)
    base_runs = tables[base.path]
    for side in (base, new):
        if side.subject is not None and SubjectName.parse(side.subject).subject and not is_export(side.subject):
            exports = [name for name in _subjects(tables[side.path]) if is_export(name)]
            what = "the floor" if is_floor(side.subject) else "no export"
            raise ResultError(
                f"{side.subject} of {side.path} is {what}, which is never compared; available: {', '.join(exports)}"
            )
    if base.path == new.path and base.subject == new.subject:
        raise ResultError(
            f"both sides are the same runs of {new.path}; name two subjects: {new.path}:{_example(runs)}, or omit NEW"
        )
    of_revision = base.path == new.path and base.revision and new.subject is None
    if (base.subject is None) != (new.subject is None) and not of_revision:
        raise ResultError("name a subject on both sides or on neither side")
    if base.path == new.path:
        return _judge_pairs(new.path, _pairs(base, new, runs), runs, gates, machines)
    return compare_over_machines(
        base_runs if base.subject is None else _of_subject(base_runs, base),
        runs if new.subject is None else _of_subject(runs, new),
        gates,
        subjects=ComparedSubjects(base_label=base.path.name, new_label=new.path.name),
        baseline=_baseline_of(gates),
        runs=runs,
        machines=machines,
    )


def _judge_pairs(
    folder: Path,
    pairs: tuple[tuple[str, str], ...],
    runs: pd.DataFrame,
    gates: GateFile,
    machines: Mapping[str, FleetMachine],
) -> Comparison:
    """Judge (base, new) subjects of one folder, by the looks that were taken at it where it was looked at."""
    baseline = _baseline_of(gates)
    taken, absent = _looks_at(folder), read_plan(folder).absent
    if taken is None:
        return compare_over_machines(
            runs,
            runs,
            gates,
            subjects=ComparedSubjects(pairs=pairs, absent=absent),
            baseline=baseline,
            runs=runs,
            machines=machines,
        )
    if machines_of(runs):
        raise ResultError(
            f"{folder} was made with --until-decided and has runs of several machines: the error of its looks cannot "
            "be divided among machines; run a number of blocks"
        )
    looked = SequentialGate(pairs, gates, noise_floor_for(gates, runs), absent).judge(runs, taken)
    judged = runs[runs["subject"].isin([name for _, name in pairs]) | runs["subject"].map(_is_reference)]
    return looked if baseline is None else _joined(looked, compare_with_baseline(judged, baseline, gates))


def _pairs(base: CompareTarget, new: CompareTarget, runs: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Subjects of one folder: the two that were named, or all `NAME@REV` with their `NAME`."""
    known = _subjects(runs)
    if base.revision:
        names = [name for name in map(SubjectName.parse, known) if name.revision == base.revision]
        pairs = tuple((str(name), own) for name in names if (own := str(name.own)) in known and is_export(own))
        if not pairs:
            raise ResultError(
                f"{base.path} has no NAME{base.subject} to compare with; available: {', '.join(known) or 'no runs'}"
            )
        return pairs
    for side in (base, new):
        _of_subject(runs, side)
    return ((str(base.subject), str(new.subject)),)


def _joined(looked: Comparison, held: Comparison) -> Comparison:
    """What the looks decided, and what a baseline says besides."""
    return summarise(
        [*looked.verdicts, *held.verdicts],
        base=looked.base,
        new=looked.new,
        shifts=looked.stage_shifts,
        machines=looked.machines,
        warnings=[*looked.warnings, *held.warnings],
    )


def _is_reference(subject: str) -> bool:
    return subject == USUAL_BASE or is_floor(subject)


def _of_subject(runs: pd.DataFrame, side: CompareTarget, *, keep_references: bool = False) -> pd.DataFrame:
    assert side.subject is not None
    known = _subjects(runs)
    if side.subject not in known:
        raise ResultError(f"{side.path} has no subject {side.subject!r}; available: {', '.join(known) or 'no runs'}")
    if keep_references:
        return runs[(runs["subject"] == side.subject) | runs["subject"].map(_is_reference)]
    return side_of(runs, side.subject)


def _subjects(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(map(str, measured_runs(runs)["subject"])))


def _example(runs: pd.DataFrame) -> str:
    return next((str(name) for name in measured_runs(runs)["subject"] if is_export(name)), "SUBJECT")


def _baseline_of(gates: GateFile) -> Baseline | None:
    return None if gates.gate.baseline is None else read_baseline(Path(gates.gate.baseline))


def _looks_at(folder: Path) -> tuple[InterimLook, ...] | None:
    """The looks at a folder that was to end as soon as it was decided; None where it was not."""
    taken = read_looks(folder)
    if taken is not None:
        return taken
    # A folder without a plan is compared by its runs alone.
    return () if "--until-decided" in read_plan(folder).command else None


def compare(
    base: pd.DataFrame | str | Path,
    new: pd.DataFrame | str | Path | None = None,
    gates: GateFile | str | Path | None = None,
    *,
    base_subject: str | None = None,
) -> Comparison:
    """Say whether `new` is better, the same or worse than `base`.

    Either two tables of `capbench.load`, each filtered to what it is to be judged by: one subject each, or the same
    subjects. Or two names as on the command line: a result folder, `DIR:SUBJECT`, `DIR:@REV`, or a baseline's JSON file
    first. Or one result folder: every subject against the folder's base, or against `base_subject`. Raises
    `ResultError`, `GateFileError`, and `TypeError` for a table without another one.
    """
    loaded = gates if isinstance(gates, GateFile) or gates is None else load_gate_file(Path(gates))
    if isinstance(base, pd.DataFrame) and isinstance(new, pd.DataFrame):
        return compare_over_machines(base, new, loaded)
    if isinstance(base, pd.DataFrame) or isinstance(new, pd.DataFrame):
        raise TypeError("give two tables or two names, not one of each")
    if new is None:
        return compare_folder(Path(base), loaded, base=base_subject)
    if base_subject is not None:
        raise TypeError("base_subject applies to one folder; two names already say which is the base")
    return compare_sides(parse_side(str(base)), parse_side(str(new)), loaded)
