"""What the gate decided, as data."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from capbench.results.record import Record

__all__ = ["Comparison", "LadderCosts", "MetricVerdict", "RunFailure", "RungCost", "StageShift", "Verdict"]


class Verdict(StrEnum):
    """Outcome for one metric of one case, or for a whole gate."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNDECIDED = "undecided"
    INVALID = "invalid"
    NOT_APPLICABLE = "not_applicable"


class MetricVerdict(Record):
    """One metric of one case: new against base."""

    case: str
    """Name of the case."""
    metric: str
    """Field of a run, or a quality metric such as `ssim_y`, or `validation`."""
    base: str
    """Subject or folder that is compared against."""
    new: str
    """Subject or folder that is judged."""
    verdict: Verdict
    """Outcome."""
    sentence: str
    """The sentence that the user reads, with the figures."""
    ratio: float | None = None
    """New over base, from paired blocks; below 1 is less."""
    interval: tuple[float, float] | None = None
    """Confidence interval of `ratio`."""
    confidence: float = 0.95
    """Level of `interval`."""
    margin: float | None = None
    """Relative change that still counts as the same, for example 0.02."""
    required_ratio: float | None = None
    """Largest ratio that the gate file accepts, where it requires an effect."""
    base_median: float | None = None
    """Median of the metric in base, in the metric's own unit."""
    new_median: float | None = None
    """Median of the metric in new."""
    difference: float | None = None
    """New minus base, for a quality metric; `interval` then bounds it instead of a ratio."""
    blocks: int = 0
    """Paired blocks that were used."""
    detectable_ratio: float | None = None
    """Smallest slowdown that this run would have seen with 90% power, as a ratio above 1."""
    blocks_needed: int | None = None
    """Further blocks that would decide, where undecided."""
    p_value: float | None = None
    """After family-wise adjustment."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is invalid, undecided or not applicable."""
    machine: str | None = None
    """The machine that it is about, where runs of several were compared."""

    @property
    def is_promising(self) -> bool:
        """Whether it is the same only in that it is not worse: the whole interval lies beyond the margin, below."""
        if self.verdict is not Verdict.SAME or self.ratio is None or self.interval is None:
            return False
        return self.interval[1] < 1 - (self.margin or 0.0)

    @property
    def label(self) -> str:
        """The verdict in a word or two, for people."""
        return "not worse" if self.is_promising else self.verdict.value.replace("_", " ")


class StageShift(Record):
    """How one stage moved between base and new."""

    case: str
    """Name of the case."""
    stage: str
    """Name of the stage."""
    base_s: float
    """Median work of the stage in base, in seconds."""
    new_s: float
    """Median work of the stage in new, in seconds."""
    share_of_change: float
    """Change of this stage over the change of wall time."""
    base: str = ""
    """As in the verdicts of the same pair: one comparison may hold several pairs of a case."""
    new: str = ""
    """Likewise."""
    machine: str | None = None
    """As in the verdicts of the same pair."""


class RunFailure(Record):
    """A run that failed or whose output is not valid, and what there is to look at."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    block: int
    """Block number as in the run."""
    reason: str
    """Why it does not count, in one line."""
    log: str | None = None
    """File with all that its processes wrote."""
    output: str | None = None
    """Its video, where it was kept."""
    machine: str | None = None
    """The machine that it was made on, where there are several."""


class PooledVerdict(Record):
    """One metric of one case over all machines: what it is on average, and how far the machines differ."""

    case: str
    """Name of the case."""
    metric: str
    """As in the verdicts of the machines."""
    base: str
    """Likewise."""
    new: str
    """Likewise."""
    verdict: Verdict
    """Outcome over machines: worse on any of them is worse."""
    sentence: str
    """The sentence that the user reads."""
    tally: str
    """Which machines agree: `faster on 9 of 11, slower on the two with Intel graphics`."""
    by_verdict: dict[str, tuple[str, ...]]
    """Verdict to the machines that have it."""
    ratio: float | None = None
    """New over base, mean of the machines' log ratios by random-effects meta-analysis; None for what has no ratio, and
    for fewer than three machines that measured one."""
    interval: tuple[float, float] | None = None
    """Confidence interval of `ratio`."""
    prediction: tuple[float, float] | None = None
    """Interval of the true ratio on one more machine of the kind, at the same level."""
    confidence: float = 0.9
    """Level of both intervals."""
    i_squared: float | None = None
    """Share of the variation between machines that is more than chance, 0 to 1."""
    tau: float | None = None
    """Standard deviation of the machines' true log ratios."""
    p_value: float | None = None
    """Of the mean, after family-wise adjustment."""
    margin: float | None = None
    """Relative change that still counts as the same."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Share of each machine in `ratio`; they sum to 1."""

    @property
    def is_noteworthy(self) -> bool:
        """Whether it has a mean, or machines that are not all the same: what is left says nothing of its own."""
        return self.ratio is not None or self.verdict is not Verdict.SAME


class MachineVerdict(Record):
    """All figures of one machine."""

    machine: str
    """Its name in the folder."""
    verdict: Verdict
    """Joint outcome of its verdicts."""
    sentence: str
    """The verdict in one sentence."""
    blocks: int
    """Blocks in which it measured anything."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """What it is, in words: adapter, system, tags and so on."""


class RungCost(Record):
    """One subject on one rung of a ladder, beside itself on the rung below. Times are of whole exports."""

    rung: str
    """Name of the case."""
    below: str | None
    """Name of the case of the rung below; None for the lowest."""
    subject: str
    """Name of the subject."""
    wall_s: float | None = None
    """Median export time in seconds."""
    ratio: float | None = None
    """Export time over that on the rung below, from pairs by block: 1.1 says that the rung adds a tenth."""
    interval: tuple[float, float] | None = None
    """Confidence interval of `ratio`; None for fewer than two pairs."""
    added_s: float | None = None
    """Seconds that the rung adds, from the same pairs."""
    added_interval_s: tuple[float, float] | None = None
    """Confidence interval of `added_s`."""
    p_value: float | None = None
    """Of a cost where there is none, adjusted for the family of all costs of the folder (Holm)."""
    is_seen: bool = False
    """Whether the cost, or the saving, is no chance at the gate's level."""
    times_floor: float | None = None
    """Export time over that of the floor on the same rung, from pairs by block."""
    floor_interval: tuple[float, float] | None = None
    """Confidence interval of `times_floor`."""
    blocks: int = 0
    """Pairs with the rung below."""
    confidence: float = 0.9
    """Level of the intervals."""
    reason: str | None = None
    """Why there is no cost, or why it is to be doubted; None where there is nothing to say."""


class LadderCosts(Record):
    """A ladder with the cost of each rung for each subject."""

    ladder: str
    """Name of the ladder."""
    rungs: tuple[str, ...]
    """Names of its cases, from the bottom up."""
    subjects: tuple[str, ...]
    """Names of the subjects that were measured on any of them, the floor left out."""
    costs: tuple[RungCost, ...] = Field(default=())
    """For each rung each subject that was measured there."""

    def of(self, rung: str, subject: str) -> RungCost | None:
        """The cost of a rung for a subject; None where it took no part."""
        return next((cost for cost in self.costs if (cost.rung, cost.subject) == (rung, subject)), None)


class Comparison(Record):
    """All verdicts of one gate. `verdict` is the joint one: better only when nothing is worse, invalid or undecided."""

    base: str
    """Subject or folder that is compared against."""
    new: str
    """Subject or folder that is judged."""
    verdict: Verdict
    """Joint outcome."""
    sentence: str
    """The verdict in one sentence."""
    verdicts: tuple[MetricVerdict, ...]
    """One for each metric of each case."""
    stage_shifts: tuple[StageShift, ...] = ()
    """Which stage moved, largest first."""
    machines: tuple[str, ...] = ()
    """Fingerprints of the machines that the runs came from; their names where runs of several were compared."""
    warnings: tuple[str, ...] = Field(default=())
    """What the reader should know."""
    failures: tuple[RunFailure, ...] = ()
    """Runs that failed or are not valid, the first fifty."""
    ladders: tuple[LadderCosts, ...] = ()
    """What each rung of the folder's ladders costs each subject; empty where two sides were named."""
    base_note: str = ""
    """Which subject is the base and why; empty if both sides were named."""
    over_machines: tuple[PooledVerdict, ...] = ()
    """One for each metric of each case, where runs of several machines were compared; `verdicts` has the machines'."""
    by_machine: tuple[MachineVerdict, ...] = ()
    """One for each machine, where there are several."""

    def of_machine(self, name: str) -> Comparison:
        """What it says of one of several machines. Raises `KeyError` for one that took no part."""
        try:
            one = next(each for each in self.by_machine if each.machine == name)
        except StopIteration:
            raise KeyError(name) from None
        return self.model_copy(
            update={
                "verdict": one.verdict,
                "sentence": one.sentence,
                "verdicts": tuple(row for row in self.verdicts if row.machine == name),
                "stage_shifts": tuple(shift for shift in self.stage_shifts if shift.machine == name),
                "failures": tuple(failure for failure in self.failures if failure.machine == name),
                "machines": (name,),
                "over_machines": (),
                "by_machine": (),
            }
        )

    @property
    def exit_code(self) -> int:
        """0 pass, 1 worse or invalid, 3 undecided."""
        if self.verdict in (Verdict.WORSE, Verdict.INVALID):
            return 1
        return 3 if self.verdict is Verdict.UNDECIDED else 0
