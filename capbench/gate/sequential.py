"""Looking after some blocks and stopping when decided, without paying for the looks in false alarms.

Looks are planned beforehand and share the error: look k gets what the spending function adds since look k - 1 (Lan and
DeMets 1983, Biometrika 70, 659-663; their Pocock-like function, which leaves early looks enough to be of use with exact
tests). The shares are simply added up (Boole's inequality), so that the guarantee needs no joint distribution of the
looks and the exact tests stay what they are; a little power is lost to that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from capbench.gate.compare import compare, summarise
from capbench.gate.evidence import Levels
from capbench.gate.gate_file import GateFile
from capbench.gate.pairing import is_floor, measured_runs
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from capbench.results.folder import FolderContents
from capbench.results.run import RunRole
from capbench.results.tidy import table_of

__all__ = [
    "DEFAULT_MAX_BLOCKS",
    "Looks",
    "SequentialGate",
    "levels_left",
    "levels_of_look",
    "planned_looks",
    "subject_pairs",
]

DEFAULT_MAX_BLOCKS = 60
"""Where only a budget ends the run: 60 blocks show 3% over the margin even with 6% noise a block."""
_FIRST_LOOK = 5
_GROWTH = 1.35
"""Each look has about a third more blocks than the one before: rarer looks spend less, denser ones stop sooner."""

_BLATANT = math.log(1.5)
"""Early looks have too few blocks for the exact test. Only a factor that no run order explains may stop them."""


def planned_looks(max_blocks: int) -> tuple[int, ...]:
    """Numbers of blocks after which to look; the last is `max_blocks`."""
    looks: list[int] = []
    blocks = float(_FIRST_LOOK)
    while round(blocks) < max_blocks:
        looks.append(round(blocks))
        blocks *= _GROWTH
    return (*looks, max_blocks)


def levels_of_look(levels: Levels, looks: Sequence[int], index: int) -> Levels:
    """The part of each error that look `index` may spend; over all looks the parts add up to `levels`."""
    return _part(levels, _spent(looks[index], looks) - (_spent(looks[index - 1], looks) if index else 0.0))


def levels_left(levels: Levels, looks: Sequence[int], done: int) -> Levels:
    """What the first `done` looks have left of each error, for a look when the run is over."""
    return _part(levels, 1.0 - (_spent(looks[done - 1], looks) if done else 0.0))


def _spent(blocks: int, looks: Sequence[int]) -> float:
    """Share of the error that may be spent up to so many blocks."""
    return math.log1p((math.e - 1) * blocks / looks[-1])


def _part(levels: Levels, share: float) -> Levels:
    return Levels(levels.family * share, levels.metric * share, levels.margin * share, blatant=_BLATANT)


def subject_pairs(subjects: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Base and new within one folder: each `NAME@REV` and `NAME`; else `cpu`, or the first one, and each other one."""
    twins = [(name, name.partition("@")[0]) for name in subjects if "@" in name]
    known = [(base, new) for base, new in twins if new in subjects and not is_floor(new)]
    if known:
        return tuple(known)
    others = [name for name in subjects if not is_floor(name)]
    base = "cpu" if "cpu" in others else next(iter(others), None)
    return tuple((base, name) for name in others if name != base) if base else ()


@dataclass(frozen=True, slots=True)
class SequentialGate:
    """Judges one folder's table again and again while it grows."""

    pairs: tuple[tuple[str, str], ...]
    """(base, new) subjects; see `subject_pairs`."""
    max_blocks: int = DEFAULT_MAX_BLOCKS
    """The last look; fixed before the first block."""
    gates: GateFile = field(default_factory=GateFile)
    """Rules and errors."""
    noise_floor: Mapping[str, float] = field(default_factory=dict)
    """As in `compare`."""

    def decided(self, runs: pd.DataFrame) -> bool:
        """Whether further blocks would change nothing: everything is decided, or the last look is over.

        Cheap between looks. Raises `ResultError` as `compare` does.
        """
        if not self.pairs:
            return True
        blocks = self._complete_blocks(runs)
        if blocks not in planned_looks(self.max_blocks):
            return blocks > self.max_blocks
        if blocks == self.max_blocks:
            return True
        return all(row.verdict is not Verdict.UNDECIDED for row in self.judge(runs).verdicts)

    def judge(self, runs: pd.DataFrame) -> Comparison:
        """All pairs as one gate, with the error that the looks so far may have; the first decision of a row stands.

        A run that is over, because its budget was, is looked at once more with the error that is left: when a budget
        ends does not depend on what was measured. What is exact (bytes, frames, checks, quality) is judged on all
        blocks, whenever it went wrong.
        """
        looks = planned_looks(self.max_blocks)
        blocks = self._complete_blocks(runs)
        levels = self.gates.levels
        is_over = _is_over(runs) and blocks < looks[-1]
        done = [index for index, look in enumerate(looks) if look < blocks or (look == blocks and not is_over)]
        taken = [(looks[index], levels_of_look(levels, looks, index)) for index in done]
        if is_over:
            taken.append((blocks, levels_left(levels, looks, len(done))))
        stands: dict[tuple[str, ...], MetricVerdict] = {}
        for until, share in taken:
            for row in self._look(runs[pd.to_numeric(runs["block"]) < until], share).verdicts:
                if row.p_value is not None and row.verdict is not Verdict.UNDECIDED:
                    stands.setdefault(_key(row), row)
        last = self._look(runs, taken[-1][1] if taken else levels_of_look(levels, looks, 0))
        rows = [row if row.p_value is None else stands.get(_key(row), _still_open(row)) for row in last.verdicts]
        return summarise(
            rows, base=last.base, new=last.new, shifts=last.stage_shifts, machines=last.machines, warnings=last.warnings
        )

    def _look(self, runs: pd.DataFrame, levels: Levels) -> Comparison:
        return compare(runs, runs, self.gates, noise_floor=self.noise_floor, levels=levels, pairs=self.pairs)

    def _complete_blocks(self, runs: pd.DataFrame) -> int:
        """Blocks that every case has of every subject in the pairs."""
        names = {name for pair in self.pairs for name in pair}
        measured = measured_runs(runs)
        counted = measured[measured["subject"].isin(names)].groupby(["case", "subject"])["block"].nunique()
        return int(counted.min()) if len(counted) else 0


@dataclass(frozen=True, slots=True)
class Looks:
    """What a runner asks while a folder grows, and what it says at the end."""

    gates: GateFile
    """Rules and errors."""
    max_blocks: int = DEFAULT_MAX_BLOCKS
    """The last look."""

    def is_decided(self, contents: FolderContents) -> bool:
        """Whether every pair of `subject_pairs` is decided, or no look is left. One subject alone decides nothing."""
        return self._gate(contents).decided(table_of([contents]))

    def judge(self, contents: FolderContents) -> Comparison | None:
        """As `SequentialGate.judge`; None for a folder with nothing to compare."""
        gate = self._gate(contents)
        return gate.judge(table_of([contents])) if gate.pairs else None

    def _gate(self, contents: FolderContents) -> SequentialGate:
        subjects = dict.fromkeys(run.subject for run in contents.runs if run.role is RunRole.MEASURE)
        return SequentialGate(subject_pairs(sorted(subjects)), self.max_blocks, self.gates)


def _is_over(runs: pd.DataFrame) -> bool:
    """Whether the run has ended: the floor runs once more after the last block."""
    return "role" in runs.columns and bool((runs["role"].astype(str) == RunRole.DRIFT_END.value).any())


def _key(row: MetricVerdict) -> tuple[str, ...]:
    return row.case, row.metric, row.base, row.new


def _still_open(row: MetricVerdict) -> MetricVerdict:
    """A row between two looks: what it shows now has not been looked at, and decides nothing."""
    if row.verdict is Verdict.UNDECIDED:
        return row
    return row.model_copy(
        update={"verdict": Verdict.UNDECIDED, "sentence": f"{row.sentence}; undecided until the next look"}
    )
