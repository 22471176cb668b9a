"""Gate files: which margin, effect or limit holds for which metric of which case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from capbench.errors import GateFileError, InputError
from capbench.files import read_toml
from capbench.gate.judged_metrics import CHECKS, HIGHER_IS_BETTER_TWINS, is_curve_figure, is_figure
from capbench.gate.statistics.inference import Levels
from capbench.results.metric_registry import BUILT_IN_METRICS, QualityMetric
from capbench.units import parse_bytes, parse_ratio, shown
from capbench.unknown_names import unknown_key

__all__ = [
    "BUILT_IN_RULES",
    "GateFile",
    "GateRule",
    "GateSettings",
    "judged_metrics",
    "load_gate_file",
    "matches_pair",
    "rule_for",
]


def _quantity(value: object) -> object:
    """`500 MB` as bytes; a number as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_bytes(value)
    except InputError as error:
        raise ValueError(str(error)) from error


def _exact(value: object) -> object:
    """A ratio as the user wrote it: 0.375 means 3/8 and not the nearest double."""
    try:
        return parse_ratio(str(value))
    except InputError as error:
        raise ValueError(str(error)) from error


def _globs(value: object) -> object:
    """One glob or a list of them."""
    return (value,) if isinstance(value, str) else value


Globs = Annotated[tuple[str, ...], BeforeValidator(_globs), Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
    )


class GateRule(_Table):
    """Settings for the metrics, cases and subjects that it matches. Those of a later rule override an earlier one's."""

    metric: str
    """Glob of a run's field, such as `wall_s` or `quality.psnr*.mean`, of a curve's figure, or `validation`."""
    case: Globs = ("*",)
    """Glob of case names, or a list of globs."""
    base: Globs = ("*",)
    """Glob of the subject that is compared against, or a list."""
    new: Globs = ("*",)
    """Glob of the subject that is judged, or a list."""
    judge: bool = True
    """False leaves the metric out."""
    margin: Annotated[float, Field(ge=0, le=10)] | None = None
    """Change that still counts as the same: relative, 0.02 for 2%; for quality a difference in the metric's unit."""
    required_ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    """Largest accepted new over base: 0.65 asks for 35% less. Without proof the verdict is not "better"."""
    equals_ratio: Annotated[Fraction, BeforeValidator(_exact)] | None = None
    """Exact new over base, for counted bytes: `0.375`, or `'1/4'`."""
    limit: Annotated[float, BeforeValidator(_quantity), Field(gt=0)] | None = None
    """Largest accepted value in any run of new: `"500 MB"` for bytes; of `bd_rate`, the percent in any clip."""
    relative: bool = True
    """False judges by `limit` alone, however new compares with base."""
    adapter: Literal["any", "hardware"] = "any"
    """`hardware`: not applicable where the GPU adapter is a software one."""
    claim: str = ""
    """What the rule asserts, in words, for messages."""

    @model_validator(mode="after")
    def _says_something_sensible(self) -> Self:
        if self.metric in HIGHER_IS_BETTER_TWINS:
            raise ValueError(f"{self.metric} is not judged; use {HIGHER_IS_BETTER_TWINS[self.metric]}")
        if not self.relative and self.limit is None:
            raise ValueError("relative = false needs a limit to judge by; to omit the figure, set judge = false")
        if self.required_ratio is not None and self.equals_ratio is not None:
            raise ValueError("give required_ratio or equals_ratio, not both")
        if is_curve_figure(self.metric):
            self._fits_a_curve()
        return self

    def _fits_a_curve(self) -> None:
        """Raise `ValueError` for what says nothing about two curves."""
        if self.equals_ratio is not None or not self.relative:
            raise ValueError(f"{self.metric} takes margin, required_ratio and limit, the last for the worst clip")
        if self.metric.startswith("bd_quality") and (self.required_ratio is not None or self.limit is not None):
            raise ValueError(
                f"{self.metric} is a difference and takes only a margin; for a ratio or a limit use bd_rate"
            )

    @property
    def is_glob(self) -> bool:
        """Whether the metric is a glob rather than a name."""
        return bool(set(self.metric) & set("*?["))

    @property
    def claims_an_effect(self) -> bool:
        """Whether the rule asks for more than "not worse"."""
        return self.required_ratio is not None or self.equals_ratio is not None or self.limit is not None


class GateSettings(_Table):
    """Settings of the whole gate."""

    family_error: float = Field(default=0.05, gt=0, lt=0.5)
    """Probability of any false alarm in the gate."""
    metric_error: float = Field(default=0.01, gt=0, lt=0.5)
    """Probability of a false alarm for one metric of one case."""
    margin_error: float = Field(default=0.05, gt=0, lt=0.5)
    """Probability of taking a change for larger, or smaller, than its margin."""
    require_gpu: bool = False
    """A measurement on a software adapter is invalid."""
    require_validation: bool = True
    """Without validation of the output nothing is called the same or better."""
    drift_limit: float = Field(default=0.25, gt=0)
    """Relative move of the floor, from before the first to after the last block, that makes a run invalid."""
    baseline: str | None = None
    """Committed baseline to compare machine-independent figures with, relative to the gate file."""
    calibration: str | None = None
    """Result of `capbench calibrate` on this machine, relative to the gate file; may be absent."""


class GateFile(_Table):
    """A gate file, or the default one where there is none."""

    gate: GateSettings = Field(default_factory=GateSettings)
    """Settings of the whole gate."""
    rule: tuple[GateRule, ...] = ()
    """In order; later ones win. They come after the built-in ones."""

    @property
    def levels(self) -> Levels:
        """The errors that the gate may make."""
        return Levels(self.gate.family_error, self.gate.metric_error, self.gate.margin_error)


def load_gate_file(path: Path) -> GateFile:
    """Read and check a gate file; files that it names become absolute. Raises `GateFileError` that names the key."""
    table = read_toml(path, GateFileError)
    try:
        gates = GateFile.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        if first["type"] == "extra_forbidden":
            raise GateFileError(f"{path}:{where}: {unknown_key(GateFile, first['loc'])}") from error
        message = first["msg"].removeprefix("Value error, ")
        raise GateFileError(f"{path}:{where}: {message}, got {shown(first['input'])}") from error
    named = {
        key: str(path.parent / value)
        for key in ("baseline", "calibration")
        if (value := getattr(gates.gate, key)) is not None
    }
    return gates.model_copy(update={"gate": gates.gate.model_copy(update=named)})


def _rules_of(metric: QualityMetric) -> list[GateRule]:
    """What the registry says of a metric's margins, as rules for all of its columns.

    They are globs, which match what was measured: without VMAF there is nothing to judge, and nothing is missing.
    """
    pools = {"mean": metric.margins.mean, "p1": metric.margins.p1}
    return [
        GateRule(metric=f"quality.{metric.name}*.{pool}", margin=margin)
        for pool, margin in pools.items()
        if margin is not None
    ]


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
    *(rule for metric in BUILT_IN_METRICS for rule in _rules_of(metric)),
    # At equal quality, what another rounding may cost: the same as of a size at one setting.
    *(
        GateRule(metric=f"bd_rate.{metric.main_column}", margin=0.02)
        for metric in BUILT_IN_METRICS
        if metric.is_default and metric.is_main
    ),
    # Ratios against a baseline of another machine: CPU, disk and core count move them by some percent.
    GateRule(metric="*_s/*", margin=0.10),
    GateRule(metric="*_bytes/*", margin=0.10),
)
"""What holds where a gate file says nothing else."""


def judged_metrics(rules: Iterable[GateRule], columns: Iterable[str]) -> tuple[str, ...]:
    """Metrics that any rule names, and columns that a rule's glob matches, in the order of the rules."""
    known = [name for name in columns if is_figure(name)]
    names: dict[str, None] = {}
    for rule in rules:
        matched = known if rule.is_glob else [rule.metric]
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


def matches_pair(rule: GateRule, case: str, base: str, new: str) -> bool:
    """Whether a rule is about a case of two subjects, whatever its metric."""
    named = ((case, rule.case), (base, rule.base), (new, rule.new))
    return all(any(fnmatchcase(name, glob) for glob in globs) for name, globs in named)


def _matches(rule: GateRule, metric: str, case: str, base: str, new: str) -> bool:
    return (metric == rule.metric or fnmatchcase(metric, rule.metric)) and matches_pair(rule, case, base, new)
