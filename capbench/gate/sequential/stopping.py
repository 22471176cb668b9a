"""Stopping a run as soon as it is decided; `alpha_spending` keeps interim looks from adding false alarms."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from capbench.gate.calibration import noise_floor_for
from capbench.gate.compare import ComparedSubjects, compare, summarise
from capbench.gate.failure_evidence import failures_of
from capbench.gate.gate_file import GateFile
from capbench.gate.sequential.alpha_spending import DEFAULT_MAX_BLOCKS, ending_look, next_look
from capbench.gate.sequential.interim_looks import InterimLook, read_looks, write_looks
from capbench.gate.statistics.inference import Levels
from capbench.gate.verdicts.pairing import measured_runs
from capbench.results.base_subject import base_of_folder
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from capbench.results.folder import FolderContents
from capbench.results.folder_plan import read_plan
from capbench.results.tidy_table import table_of

__all__ = ["SequentialGate", "SequentialTest", "levels_of"]

_BLATANT = math.log(1.5)
"""Early looks have too few blocks for the exact test. Only a factor that no run order explains may stop them."""


def levels_of(levels: Levels, share: float) -> Levels:
    """What a look with this share of each error may spend."""
    return Levels(levels.family * share, levels.metric * share, levels.margin * share, blatant=_BLATANT)


@dataclass(frozen=True, slots=True)
class SequentialGate:
    """Judges one folder's table by the looks that were taken at it."""

    pairs: tuple[tuple[str, str], ...]
    """(base, new) subjects; see `capbench.results.base_subject`."""
    gates: GateFile = field(default_factory=GateFile)
    """Rules and errors."""
    noise_floor: Mapping[str, float] = field(default_factory=dict)
    """As in `compare`."""
    absent: Collection[tuple[str, str]] = ()
    """As in `compare`."""

    def judge(self, runs: pd.DataFrame, taken: Sequence[InterimLook]) -> Comparison:
        """All pairs as one gate; the first decision of a row stands, and nothing is decided between looks.

        What is exact (bytes, frames, checks, quality) is judged on all blocks, whenever it went wrong. Raises
        `ResultError` as `compare` does.
        """
        stands: dict[tuple[str, ...], MetricVerdict] = {}
        for look in taken:
            until = runs[pd.to_numeric(runs["block"]) < look.blocks]
            for row in self._look(until, look.share).verdicts:
                if row.p_value is not None and row.verdict is not Verdict.UNDECIDED:
                    stands.setdefault(_key(row), row)
        last = self._look(runs, taken[-1].share if taken else 0.0)
        rows = [row if row.p_value is None else stands.get(_key(row), _still_open(row)) for row in last.verdicts]
        return summarise(
            rows, base=last.base, new=last.new, shifts=last.stage_shifts, machines=last.machines, warnings=last.warnings
        )

    def _look(self, runs: pd.DataFrame, share: float) -> Comparison:
        levels = levels_of(self.gates.levels, share or 1.0)
        return compare(
            runs,
            runs,
            self.gates,
            subjects=ComparedSubjects(pairs=self.pairs, absent=self.absent),
            noise_floor=self.noise_floor,
            levels=levels,
        )

    def complete_blocks(self, runs: pd.DataFrame) -> int:
        """Blocks that every case has of every subject in the pairs."""
        names = {name for pair in self.pairs for name in pair}
        measured = measured_runs(runs)
        counted = measured[measured["subject"].isin(names)].groupby(["case", "subject"])["block"].nunique()
        return int(counted.min()) if len(counted) else 0


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """What a runner asks while a folder grows, and what it says at the end. Keeps `looks.json` in the folder."""

    gates: GateFile
    """Rules and errors."""
    max_blocks: int = DEFAULT_MAX_BLOCKS
    """The last look."""

    def is_decided(self, contents: FolderContents) -> bool:
        """Whether every pair of the folder is decided, or no look is left. One subject alone decides nothing.

        Cheap between looks.
        """
        gate, runs = self._opened(contents)
        if not gate.pairs:
            return True
        taken, blocks = read_looks(contents.path) or (), gate.complete_blocks(runs)
        due = next_look(taken, blocks=blocks, max_blocks=self.max_blocks)
        if due is None:
            return blocks >= self.max_blocks
        taken = (*taken, due)
        write_looks(contents.path, taken)
        # What was not measured at all has no blocks, and more of them would not decide it.
        return due.ends or not any(_is_open(row) and row.blocks > 0 for row in gate.judge(runs, taken).verdicts)

    def judge(self, contents: FolderContents) -> Comparison | None:
        """The verdict on a run that is over; None for a folder with nothing to compare.

        What its budget ended is looked at once more, unless it was decided.
        """
        gate, runs = self._opened(contents)
        if not gate.pairs:
            return None
        taken = read_looks(contents.path) or ()
        found = gate.judge(runs, taken)
        last = ending_look(taken, blocks=gate.complete_blocks(runs))
        if last is not None and any(row.p_value is not None and _is_open(row) for row in found.verdicts):
            taken = (*taken, last)
            write_looks(contents.path, taken)
            found = gate.judge(runs, taken)
        note = base_of_folder(read_plan(contents.path), contents.runs).sentence
        return found.model_copy(update={"base_note": note, "failures": failures_of([contents])})

    def _opened(self, contents: FolderContents) -> tuple[SequentialGate, pd.DataFrame]:
        runs = table_of([contents])
        plan = read_plan(contents.path)
        pairs = base_of_folder(plan, contents.runs).pairs
        return SequentialGate(pairs, self.gates, noise_floor_for(self.gates, runs), plan.absent), runs


def _is_open(row: MetricVerdict) -> bool:
    return row.verdict is Verdict.UNDECIDED


def _key(row: MetricVerdict) -> tuple[str, ...]:
    return row.case, row.metric, row.base, row.new


def _still_open(row: MetricVerdict) -> MetricVerdict:
    """A row that no look has decided: what it shows now has not been looked at, and decides nothing."""
    if _is_open(row):
        return row
    return row.model_copy(
        update={
            "verdict": Verdict.UNDECIDED,
            "sentence": f"{row.sentence}; undecided until the next interim look; resume with --until-decided",
        }
    )
