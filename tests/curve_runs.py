"""Tables of runs of curves for the tests of the gate: every value is given, nothing is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tests.gate_runs import STEADY

QPS = (20, 26, 32, 38)
"""Points of a curve."""
RATES = (8e6, 4e6, 2e6, 1e6)
"""Their rates in bits a second."""
QUALITY = (44.0, 40.0, 36.0, 32.0)
"""Their luma PSNR in dB."""


def curve_runs(
    subject: str,
    *,
    rate: float = 1.0,
    better_db: float = 0.0,
    case: str = "clip",
    corpus: str | None = None,
    blocks: int = 1,
    quality: Sequence[float] = QUALITY,
    rates: Sequence[float] = RATES,
    metric: str = "psnr_y",
    wall_s: float = 2.0,
    **columns: Any,
) -> pd.DataFrame:
    """The runs of one subject: `rate` times `RATES`, `better_db` above `QUALITY`; `columns` replaces others."""
    steady = {name: value for name, value in STEADY.items() if not name.startswith("quality.")}
    rows = []
    for block in range(blocks):
        for place, (qp, bits, value) in enumerate(zip(QPS, rates, quality, strict=False)):
            rows.append(
                steady
                | {
                    "case": case,
                    "subject": subject,
                    "block": block,
                    "role": "measure",
                    "point.parameter": "qp",
                    "point.value": float(qp),
                    "wall_s": wall_s * (1 + place / 10),
                    "duration_s": 10.0,
                    "video_bytes": bits * rate * 10 / 8,
                    "output_bytes": bits * rate * 10 / 8 + 1000,
                    f"quality.{metric}.mean": value + better_db,
                    "corpus": corpus,
                }
                | columns
            )
    table = pd.DataFrame(rows)
    return table.drop(columns="corpus") if corpus is None else table
