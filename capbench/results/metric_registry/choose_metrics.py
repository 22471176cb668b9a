"""Finding metrics by the names that people and result files use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from capbench.errors import InputError
from capbench.results.metric_registry.built_in_metrics import BUILT_IN_METRICS
from capbench.results.metric_registry.installed_metrics import offered_metrics
from capbench.results.metric_registry.quality_metric import QualityMetric
from capbench.units import shown

__all__ = ["DEFAULT_METRICS", "choose_metrics", "columns_of", "known_metrics", "metric_of", "require_metric"]

DEFAULT_METRICS = "default"
"""Stands for the metrics that are measured where nobody chooses."""
_COLUMN_PREFIX = "quality."
_MOST_NAMED = 3
"""Nearest names in an error: more would be a list to read."""


def known_metrics() -> tuple[QualityMetric, ...]:
    """Every metric of this installation: built in, then those of other packages, by name."""
    return (*BUILT_IN_METRICS, *(offered.metric for offered in offered_metrics()[0]))


def metric_of(column: str) -> QualityMetric | None:
    """The metric of a column such as `psnr_y`, `vmaf` or `quality.vmaf.mean`; None where this installation has none."""
    bare = column.removeprefix(_COLUMN_PREFIX).partition(".")[0]
    # Other packages are only asked for a name that is not built in: loading them may take seconds.
    for metric in BUILT_IN_METRICS:
        if bare == metric.name or bare in metric.columns:
            return metric
    return next((offered.metric for offered in offered_metrics()[0] if offered.metric.name == bare), None)


def require_metric(name: str) -> QualityMetric:
    """As `metric_of`, and `VMAF-NEG` is `vmaf_neg`. Raises `InputError` with the nearest names for an unknown one."""
    written = name.lower().replace("-", "_")
    if (metric := metric_of(written)) is not None:
        return metric
    for broken in offered_metrics()[1]:
        if broken.name == name:
            raise InputError(f"metric {shown(name)} cannot be used: {broken.reason}")
    known = [DEFAULT_METRICS, *(metric.name for metric in known_metrics())]
    near = difflib.get_close_matches(written, known, n=_MOST_NAMED, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(known)}"
    raise InputError(f"unknown metric {shown(name)}; {hint}")


def choose_metrics(names: Sequence[str] | None) -> tuple[QualityMetric, ...]:
    """The metrics of these names in the registry's order, each once; of None the default ones.

    A column (`psnr_y`) stands for its metric, `default` for all that are measured by default. Raises `InputError` for
    an unknown name, with the nearest ones, and where there is none at all.
    """
    if names is None:
        names = (DEFAULT_METRICS,)
    chosen: set[str] = set()
    for name in (name.strip() for name in names):
        if name == DEFAULT_METRICS:
            chosen.update(metric.name for metric in BUILT_IN_METRICS if metric.is_default)
        else:
            chosen.add(require_metric(name).name)
    if not chosen:
        raise InputError("no metric is named; write for example psnr,vmaf")
    built_in = tuple(metric for metric in BUILT_IN_METRICS if metric.name in chosen)
    if len(built_in) == len(chosen):
        return built_in
    return tuple(metric for metric in known_metrics() if metric.name in chosen)


def columns_of(metrics: Iterable[QualityMetric]) -> tuple[str, ...]:
    """All columns of metrics, in order."""
    return tuple(column for metric in metrics for column in metric.columns)
