"""The gate's false-alarm rate and sensitivity on this machine, from runs of a subject, equal copies and slowed ones.

Every comparison draws its blocks from the recorded ones without using one twice, and throws a coin for which of the two
equal copies is new. Draws share blocks with each other, so that the exact intervals of Clopper and Pearson (1934,
Biometrika 26, 404-413), which take them as independent, are a little too narrow when few blocks were recorded.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import special

from capbench.errors import MatrixError, ResultError
from capbench.files import is_file, read_json
from capbench.gate.compare import judge_family
from capbench.gate.curves.fold_blocks import fold_blocks
from capbench.gate.gate_file import BUILT_IN_RULES, GateFile, rule_for
from capbench.gate.judged_metrics import describe_metric
from capbench.gate.statistics.inference import Levels, evidence
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.gate.verdicts.pairing import column, finished, measured_runs, ways_of_timing
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.worker.slowdown import VARIABLE
from capbench.results.base_subject import choose_base
from capbench.results.comparison import Verdict
from capbench.results.record import Record, first_fault
from capbench.results.run_record import Interleave, Scheduling
from capbench.results.subject_name import SAME, SubjectName, is_capacity

__all__ = [
    "Calibration",
    "MetricCalibration",
    "Rate",
    "calibrate_runs",
    "calibration_matrix",
    "is_called_worse",
    "noise_floor_for",
    "noise_floor_of",
    "read_calibration",
    "slowed_name",
    "twin_name",
]

METRICS = ("wall_s", "cpu_s", "peak_rss_bytes")
"""What differs from run to run and is judged by default."""
_VERSION = 1
_QUANTILE = 0.95
"""The noise floor is exceeded by one comparison of equals in twenty."""


class Rate(Record):
    """A count with its exact interval."""

    count: int
    """How often it happened."""
    of: int
    """How often it could have."""
    low: float
    """Lower end of the 95% Clopper-Pearson interval."""
    high: float
    """Upper end."""


class MetricCalibration(Record):
    """One metric of one case."""

    case: str
    """Name of the case."""
    metric: str
    """Field of a run."""
    interleave: Interleave = "runs"
    """How the subjects of a block took turns; the figures apply only to runs of the same kind."""
    scheduling: Scheduling = "normal"
    """How the kernel scheduled the subjects; likewise."""
    margin: float
    """Relative margin that was applied."""
    noise_per_block: float
    """Standard deviation of one block's log ratio of equals, robustly; 0.01 is 1%."""
    noise_floor: float
    """Relative change that 95% of comparisons of equals stay within."""
    false_alarms: Rate
    """Comparisons of equals that were called worse."""
    detections: dict[str, Rate]
    """Injected slowdown of wall time, such as `0.05`, to how often the metric was called worse."""


class Calibration(Record):
    """What `capbench calibrate` writes and a gate file names as `calibration`."""

    schema_version: int = _VERSION
    """Version of this record."""
    machine: str | None
    """Fingerprint of the machine."""
    subject: str
    """What was compared with itself."""
    blocks_recorded: int
    """Blocks that the draws come from."""
    blocks_each: int
    """Blocks of one comparison."""
    metrics: tuple[MetricCalibration, ...]
    """One for each metric of each case."""


def calibrate_runs(
    runs: pd.DataFrame,
    *,
    subject: str,
    twin: str,
    slowed: Mapping[float, str],
    blocks_each: int,
    comparisons: int,
    seed: int,
) -> Calibration:
    """Compare `subject` with its equal `twin` and with its slowed copies, `comparisons` times each.

    `slowed` maps a relative slowdown to the name of the subject that has it. Raises `ResultError` for too few blocks.
    """
    table = finished(measured_runs(fold_blocks(runs)))
    rng = np.random.default_rng(seed)
    found = []
    recorded: list[int] = []
    for case, of_case in table.groupby("case", sort=False):
        names = (subject, twin, *slowed.values())
        for metric in METRICS:
            values = _blocks(of_case, names, metric)
            if values is None:
                continue
            if len(values) < blocks_each:
                raise ResultError(f"{case}: {len(values)} blocks have finished, but a comparison needs {blocks_each}")
            recorded.append(len(values))
            one = _calibrate(
                str(case),
                metric,
                values,
                effects=tuple(slowed),
                blocks_each=blocks_each,
                comparisons=comparisons,
                rng=rng,
            )
            interleave, scheduling = ways_of_timing(of_case)[0]
            found.append(one.model_copy(update={"interleave": interleave, "scheduling": scheduling}))
    if not found:
        raise ResultError(f"no block has finished runs of {subject}, {twin} and the slowed copies; run all of them")
    machines = sorted(set(table["fingerprint"].dropna().astype(str))) if "fingerprint" in table.columns else []
    return Calibration(
        machine=machines[0] if len(machines) == 1 else None,
        subject=subject,
        blocks_recorded=min(recorded),
        blocks_each=blocks_each,
        metrics=tuple(found),
    )


def _blocks(runs: pd.DataFrame, names: Iterable[str], metric: str) -> NDArray[np.float64] | None:
    """Log values of shape (blocks, len(names)) of the blocks in which every name was measured; None for none."""
    sides = []
    for name in names:
        own = runs[runs["subject"] == name]
        sides.append(pd.Series(column(own, metric), index=own["block"].to_numpy()))
    joined = pd.concat(sides, axis=1).dropna()
    values = joined.to_numpy(dtype=np.float64)
    return None if len(values) == 0 or (values <= 0).any() else np.log(values)


def _calibrate(
    case: str,
    metric: str,
    values: NDArray[np.float64],
    *,
    effects: tuple[float, ...],
    blocks_each: int,
    comparisons: int,
    rng: np.random.Generator,
) -> MetricCalibration:
    rule = rule_for(BUILT_IN_RULES, metric=metric, case=case, base="", new="")
    margin = 0.0 if rule is None or rule.margin is None else rule.margin
    estimates, alarms = [], 0
    detected = dict.fromkeys(effects, 0)
    for _ in range(comparisons):
        drawn = values[rng.choice(len(values), blocks_each, replace=False)]
        # Equals are exchangeable: a coin for each block decides which of the two is base.
        first = rng.random(blocks_each) < 0.5
        base, twin = np.where(first, drawn[:, 0], drawn[:, 1]), np.where(first, drawn[:, 1], drawn[:, 0])
        shown = _judged(case, metric, twin - base, margin)
        estimates.append(abs(shown[1]))
        alarms += shown[0]
        for place, effect in enumerate(effects):
            detected[effect] += _judged(case, metric, drawn[:, 2 + place] - base, margin)[0]
    everything = evidence(values[:, 1] - values[:, 0])
    spread = everything.standard_error(0.05) * math.sqrt(everything.pairs) if everything.pairs > 1 else 0.0
    return MetricCalibration(
        case=case,
        metric=metric,
        margin=margin,
        noise_per_block=spread,
        noise_floor=math.expm1(float(np.quantile(estimates, _QUANTILE))),
        false_alarms=_rate(alarms, comparisons),
        detections={f"{effect:g}": _rate(count, comparisons) for effect, count in detected.items()},
    )


def _judged(case: str, metric: str, log_ratios: NDArray[np.float64], margin: float) -> tuple[bool, float]:
    """Whether the gate calls it worse, and its estimate."""
    row = NoisyRow(
        labels={"case": case, "metric": metric, "base": "base", "new": "new"},
        metric=describe_metric(metric),
        shown=evidence(log_ratios),
        asked=asked_for(margin, None),
        margin=margin,
        base_median=1.0,
        new_median=1.0,
    )
    verdict = judge_family([row], Levels())[0]
    return verdict.verdict is Verdict.WORSE, math.log(verdict.ratio or 1.0)


def is_called_worse(log_ratios: NDArray[np.float64], *, margin: float) -> bool:
    """Whether the gate calls one noisy figure worse from the log ratios of its blocks. `margin` is relative."""
    return _judged("", METRICS[0], log_ratios, margin)[0]


def _rate(count: int, of: int) -> Rate:
    """With the interval of Clopper and Pearson (1934, Biometrika 26, 404-413), by quantiles of beta distributions."""
    tail = 0.025  # of 95%
    low = float(special.betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(special.betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return Rate(count=count, of=of, low=low, high=high)


def noise_floor_of(
    calibration: Calibration, machines: set[str], ways: Collection[tuple[str, str]] = (("runs", "normal"),)
) -> dict[str, float]:
    """Metric to the largest noise floor of its cases; empty unless these are the runs of the calibrated machine.

    Only what was calibrated in one of the `ways`, interleaving and scheduling, in which the runs were measured counts.
    """
    if calibration.machine is None or machines != {calibration.machine}:
        return {}
    floors: dict[str, float] = {}
    for found in calibration.metrics:
        if (found.interleave, found.scheduling) not in ways:
            continue
        floors[found.metric] = max(floors.get(found.metric, 0.0), found.noise_floor)
    return floors


def noise_floor_for(gates: GateFile, runs: pd.DataFrame) -> dict[str, float]:
    """What the gate file's calibration says about the machine of these runs.

    Empty where it names none, the file is absent, or another machine was calibrated.
    """
    if gates.gate.calibration is None or not is_file(Path(gates.gate.calibration)):
        return {}
    machines = set(runs["fingerprint"].dropna()) if "fingerprint" in runs.columns else set()
    ways = ways_of_timing(measured_runs(runs))
    return noise_floor_of(read_calibration(Path(gates.gate.calibration)), machines, ways)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file. Raises `ResultError`."""
    try:
        found = Calibration.model_validate(read_json(path, ResultError))
    except ResultError as error:
        raise ResultError(f"{error}; recreate it with: capbench calibrate") from error
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"{path}: {where or 'the file'}: {message}; recreate it with: capbench calibrate") from error
    if found.schema_version > _VERSION:
        raise ResultError(
            f"{path} has schema version {found.schema_version}, this program reads up to {_VERSION}; "
            "use a newer capbench"
        )
    return found


def twin_name(subject: str) -> str:
    """Name of the equal copy: `cpu~same`."""
    return str(replace(SubjectName.parse(subject), copy=SAME))


def slowed_name(subject: str, share: float) -> str:
    """Name of the copy that is slower by a share of its wall time: `cpu~plus5` for 0.05."""
    return str(replace(SubjectName.parse(subject), copy=f"plus{share * 100:g}"))


def calibration_matrix(matrix: RunMatrix, *, subject: str | None, effects: Sequence[float], stage: str) -> RunMatrix:
    """Every case with only `subject` (the base of the matrix where None) and its copies.

    Raises `MatrixError` where no case has the subject or no effect is asked for, `InputError` for a base that is not
    there.
    """
    if not effects:
        raise MatrixError("give at least one --effect")
    names = [known.name for known in matrix.subjects]
    name = subject or choose_base(names, reference=matrix.reference).name
    if not name:
        raise MatrixError(f"matrix {matrix.name} has no subject to calibrate with")
    if is_capacity(name):
        raise MatrixError(f"{name!r} is no export and never judged; calibrate with a path or the floor")
    original = matrix.subject(name)
    copies = [original, _copy(original, twin_name(name), 0.0, stage)]
    copies += [_copy(original, slowed_name(name, share), share, stage) for share in effects]
    cases = tuple(_only(case, name, copies) for case in matrix.cases if name in case.subjects)
    if not cases:
        raise MatrixError(f"no case has the subject {name!r}")
    return matrix.model_copy(update={"subjects": tuple(copies), "cases": cases, "reference": name})


def _copy(original: Subject, name: str, share: float, stage: str) -> Subject:
    if original.command:
        wrapper = (sys.executable, "-m", "capbench.harness.worker.slowdown", f"{share:g}") if share else ()
        return original.model_copy(update={"name": name, "command": (*wrapper, *original.command)})
    planted = {VARIABLE: f"{stage}:{share:g}"} if share else {}
    return original.model_copy(update={"name": name, "env": original.env | planted})


def _only(case: Case, name: str, copies: Sequence[Subject]) -> Case:
    assert name in case.subjects
    return case.model_copy(update={"subjects": tuple(copy.name for copy in copies), "drift_control": False})
