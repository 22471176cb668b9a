"""Tables of runs for the tests of the gate: every value is given, nothing is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from capbench.results.comparison import Comparison, MetricVerdict

STEADY: dict[str, Any] = {
    "cpu_s": 8.0,
    "peak_rss_bytes": 300e6,
    "frames": 300,
    "readback_bytes": 8_000_000.0,
    "output_bytes": 1_000_000.0,
    "quality.psnr_y.mean": 40.0,
    "quality.ssim_y.mean": 0.98,
    "quality.xpsnr_y.mean": 41.0,
    "validation.passed": True,
    "validation.failures": (),
    "path_requested": "cpu",
    "path_used": "cpu",
    "fallbacks": (),
    "adapter_is_software": False,
    "adapter": "Test adapter",
    "fingerprint": "machine-a",
    "error": None,
}
"""A run in which nothing but the wall time differs."""


def runs_table(
    subject: str,
    wall_s: Sequence[float],
    columns: Mapping[str, Any] | None = None,
    *,
    case: str = "1080p",
    **more: Any,
) -> pd.DataFrame:
    """One measured run a block with these wall times; a column given as a list has one value a block."""
    table = pd.DataFrame({"block": range(len(wall_s)), "wall_s": list(wall_s)})
    for name, value in {**STEADY, **(columns or {}), **more}.items():
        is_row = isinstance(value, list)
        table[name] = value if is_row else pd.Series([value] * len(table), dtype=object if value is None else None)
    return table.assign(case=case, subject=subject, role="measure")


def noisy(blocks: int, *, ratio: float = 1.0, sd: float = 0.01, seed: int = 1) -> list[float]:
    """Wall times around `ratio` seconds with log-normal noise."""
    return list(ratio * np.exp(np.random.default_rng(seed).normal(0, sd, blocks)))


def verdict_of(comparison: Comparison, metric: str) -> MetricVerdict:
    """The row of a metric."""
    return next(row for row in comparison.verdicts if row.metric == metric)
