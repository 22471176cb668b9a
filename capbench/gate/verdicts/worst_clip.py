"""Which clip of a corpus fares worst in a figure that was judged over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.gate.verdicts.pairing import PairedCase
from capbench.gate.verdicts.phrases import signed_difference
from capbench.results.comparison import MetricVerdict

__all__ = ["RowKey", "name_worst_clip"]

RowKey = tuple[str, str, str]
"""(corpus, base, new) as verdicts call them."""


def name_worst_clip(
    verdicts: Sequence[MetricVerdict], clips: Mapping[RowKey, Sequence[PairedCase]]
) -> list[MetricVerdict]:
    """The verdicts, those on a corpus with the name and the change of the clip that fares worst.

    `clips` has the clips of each corpus that was compared. A mean over clips must not hide the one that pays for it.
    """
    return [_named(row, clips.get((row.case, row.base, row.new), ())) for row in verdicts]


def _named(row: MetricVerdict, clips: Sequence[PairedCase]) -> MetricVerdict:
    kind = describe_metric(row.metric).kind
    if len(clips) < 2 or kind not in (Kind.NOISY, Kind.COUNTED, Kind.QUALITY):
        return row
    changes = {pair.case: change for pair in clips if (change := _change(pair, row.metric)) is not None}
    if not changes:
        return row
    worst = max(changes, key=lambda clip: changes[clip])
    metric = describe_metric(row.metric)
    words = (
        signed_difference(metric, -changes[worst]) or "no change"
        if kind is Kind.QUALITY
        else f"{np.expm1(changes[worst]) * 100:+.1f}%"
    )
    return row.model_copy(update={"sentence": f"{row.sentence}; worst of {len(changes)} clips: {worst} with {words}"})


def _change(pair: PairedCase, metric: str) -> float | None:
    """How much worse a clip became: a log ratio, or a loss of quality; None where it was not measured."""
    base, new = pair.values(metric)
    if base.size == 0:
        return None
    if describe_metric(metric).kind is Kind.QUALITY:
        return float(np.median(base - new))
    if (base <= 0).any() or (new <= 0).any():
        return None
    return float(np.median(np.log(new / base)))
