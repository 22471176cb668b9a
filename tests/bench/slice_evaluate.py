"""What recorded pairs say about slices: noise, false alarms, detection, and whether planted effects come back.

    python -m tests.bench.slice_evaluate quiet.jsonl neighbours.jsonl [--figure wall_s]

Records come from `tests.bench.slice_record`. Standard deviations are of the log ratio new to base of a pair, with the
95% interval that chi-squared gives for normal pairs; the ratio of two of them has that of F. False alarms and detection
are what the gate's own code calls worse, one figure with its margin, on disjoint groups of 10 pairs in the order in
which they were recorded, with exact intervals (Clopper and Pearson 1934); redraws of 10 and 20 pairs without
replacement stand beside them with the number of distinct pairs that they share. How many blocks see a planted slowdown
in 90% of comparisons is counted on redraws with replacement, which take the record's mean for the truth. Equals keep
their recorded order of base and new: turning signs at random would make a test that cannot fail.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from capbench.gate.calibration import is_called_worse

__all__ = ["evaluate", "main"]

_MARGIN = 0.02
"""Of wall time, built into the gate."""
_GROUP = 10
_REDRAWS = 200
_SEED = 20261126
_WANTED = 0.9
"""Share of comparisons that should see a slowdown."""
_LOOKS = (9, 12, 16, 22, 30, 40, 60)
"""Blocks after which `--until-decided` looks, where an exact test can decide."""
_OF_BOTH = ("seconds=", "height=", "gpu_ms=")
"""What a variant in slices has in common with the plain one that it is compared with."""

Line = dict[str, Any]
Values = NDArray[np.float64]


def evaluate(lines: Sequence[Line], *, figure: str = "wall_s") -> str:
    """A markdown report of one condition's pairs."""
    kinds = list(dict.fromkeys(line["variant"] for line in lines))
    kinds.sort(key=lambda name: ("slice_ms" in name, name))
    effects = sorted({line["effect"] for line in lines})
    rows = [
        "| pairs | planted | number | mean | standard error | planted really | standard errors off | sd of a pair |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    of: dict[tuple[str, float], Values] = {}
    for kind in kinds:
        for effect in effects:
            chosen = [line for line in lines if line["variant"] == kind and line["effect"] == effect]
            if len(chosen) < 2:
                continue
            values = np.array([math.log(line[figure][1] / line[figure][0]) for line in chosen])
            of[kind, effect] = values
            error = float(values.std(ddof=1) / math.sqrt(len(values)))
            if "gpu_ms" in kind:  # only whole runs tell what a longer pass means for an export
                truth = of.get((_without_slices(kind), effect), values)
                off = (values.mean() - truth.mean()) / math.hypot(error, truth.std(ddof=1) / math.sqrt(len(truth)))
            else:
                truth = np.array([_truth(line, figure) for line in chosen])
                off = float((values - truth).mean() / ((values - truth).std(ddof=1) / math.sqrt(len(values))))
            rows.append(
                f"| {kind} | {effect:.0%} | {len(values)} | {_percent(values.mean())} | {_points(error)} | "
                f"{_percent(truth.mean())} | {off:+.1f} | {_spread(values)} |"
            )
    text = ["\n".join(rows), _ratios(of), _verdicts(of)]
    overlaps = [line["overlap_share"] for line in lines if "overlap_share" in line]
    if overlaps:
        alone = [share for line in lines if "alone_share" in line for share in line["alone_share"]]
        text.append(
            f"Overlap: {max(overlaps):.3%} at most, over 1% in {sum(share > 0.01 for share in overlaps)} of "
            f"{len(overlaps)} pairs. Alone at the end: {np.median(alone):.1%} of a run in the median, "
            f"{max(alone):.1%} at most."
        )
    return "\n\n".join(text)


def _truth(line: Line, figure: str) -> float:
    """Log ratio that was planted: what the slowed run would have taken without is known to the run itself."""
    wall_s = line[figure][1]
    return math.log(wall_s / (wall_s - line["planted_s"]))


def _ratios(of: dict[tuple[str, float], Values]) -> str:
    rows = ["| slices against plain, same minutes | planted | ratio of sd |", "|---|---:|---:|"]
    for (kind, effect), sliced in of.items():
        plain = of.get((_without_slices(kind), effect))
        if "slice_ms" not in kind or plain is None:
            continue
        ratio = float(sliced.std(ddof=1) / plain.std(ddof=1))
        freedom = len(sliced) - 1, len(plain) - 1
        low, high = (ratio / math.sqrt(float(stats.f.ppf(level, *freedom))) for level in (0.975, 0.025))
        rows.append(f"| {kind} | {effect:.0%} | {ratio:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(rows)


def _without_slices(variant: str) -> str:
    """Name of the plain variant of the same length that one in slices is put beside."""
    return ",".join(part for part in variant.split(",") if part.startswith(_OF_BOTH)) or "plain"


def _verdicts(of: dict[tuple[str, float], Values]) -> str:
    """What the gate calls worse."""
    rng = np.random.default_rng(_SEED)
    rows = [
        "| pairs | planted | groups of 10 called worse | redraws of 10 | of 20 | distinct pairs | blocks for 90% |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, effect), values in of.items():
        groups = [values[start : start + _GROUP] for start in range(0, len(values) - _GROUP + 1, _GROUP)]
        worse = sum(is_called_worse(group, margin=_MARGIN) for group in groups)
        redraws = [
            "too few"
            if len(values) <= size
            else _share(
                sum(
                    is_called_worse(values[rng.choice(len(values), size, replace=False)], margin=_MARGIN)
                    for _ in range(_REDRAWS)
                )
            )
            for size in (_GROUP, 2 * _GROUP)
        ]
        rows.append(
            f"| {kind} | {effect:.0%} | {_count(worse, len(groups))} | {redraws[0]} | {redraws[1]} | {len(values)} | "
            f"{_blocks_needed(values, rng) if effect else ''} |"
        )
    return "\n".join(rows)


def _blocks_needed(values: Values, rng: np.random.Generator) -> str:
    """Fewest blocks of those after which the gate looks that see the slowdown in 90% of redraws."""
    for blocks in _LOOKS:
        seen = sum(is_called_worse(rng.choice(values, blocks), margin=_MARGIN) for _ in range(_REDRAWS))
        if seen >= _WANTED * _REDRAWS:
            return str(blocks)
    return f"more than {_LOOKS[-1]}"


def _share(count: int) -> str:
    return f"{count / _REDRAWS:.0%}"


def _count(count: int, of: int) -> str:
    if of == 0:
        return "no group"
    interval = stats.binomtest(count, of).proportion_ci(0.95, method="exact")
    return f"{count} of {of} ({interval.low:.0%} to {interval.high:.0%})"


def _spread(values: Values) -> str:
    """Standard deviation in percent with its interval for normal pairs, and a robust one beside it."""
    spread, freedom = float(values.std(ddof=1)), len(values) - 1
    low, high = (spread * math.sqrt(freedom / stats.chi2.ppf(level, freedom)) for level in (0.975, 0.025))
    robust = float(stats.median_abs_deviation(values, scale="normal"))
    return f"{_points(spread)} ({_points(low)} to {_points(high)}), by the median {_points(robust)}"


def _percent(log_ratio: float) -> str:
    return f"{math.expm1(log_ratio):+.2%}"


def _points(value: float) -> str:
    return f"{100 * value:.2f}%"


def main(arguments: list[str] | None = None) -> int:
    """Print a report for each condition in the records; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+")
    parser.add_argument("--figure", choices=["wall_s", "process_s", "cpu_s"], default="wall_s")
    options = parser.parse_args(arguments)
    lines: list[Line] = []
    for record in options.records:
        data = gzip.decompress(record.read_bytes()) if record.suffix == ".gz" else record.read_bytes()
        lines += [json.loads(text) for text in data.decode().splitlines()]
    for condition in dict.fromkeys(line["condition"] for line in lines):
        chosen = [line for line in lines if line["condition"] == condition]
        loads = [line["load_1min"] for line in chosen if line["load_1min"] is not None]
        load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
        sys.stdout.write(f"## {condition}{load}\n\n{evaluate(chosen, figure=options.figure)}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
