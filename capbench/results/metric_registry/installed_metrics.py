"""Metrics of other packages, by the entry point group `capbench.metrics`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from capbench.results.metric_registry.built_in_metrics import BUILT_IN_METRICS
from capbench.results.metric_registry.quality_metric import QualityMetric
from capbench.results.run_record import RunResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["METRICS_GROUP", "BrokenMetric", "OfferedMetric", "offered_metrics"]

METRICS_GROUP = "capbench.metrics"
"""Entry point group in which installed packages offer metrics. Each entry names an `OfferedMetric`."""


@dataclass(frozen=True, slots=True)
class OfferedMetric:
    """A metric of another package: what it is, and the function that measures one pair of pictures."""

    metric: QualityMetric
    """What it is. It has one value a picture; its `frames` says on which pairs it is measured."""
    measure: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
    """Takes output and reference as gamma-coded R'G'B', shape (height, width, 3), 0 to 255, and gives the value.

    A value that is no number counts as not measured. What it raises does too, with the message as the reason.
    """


@dataclass(frozen=True, slots=True)
class BrokenMetric:
    """An entry point that offers no usable metric."""

    name: str
    """Name of the entry point."""
    reason: str
    """Why it cannot be used, in one line."""


@cache
def offered_metrics() -> tuple[tuple[OfferedMetric, ...], tuple[BrokenMetric, ...]]:
    """Metrics that installed packages offer, sorted by name, and the entry points that cannot be used."""
    usable: dict[str, OfferedMetric] = {}
    broken: list[BrokenMetric] = []
    for entry in sorted(entry_points(group=METRICS_GROUP), key=lambda entry: (entry.name, entry.value)):
        found = _load(entry, taken=usable)
        if isinstance(found, OfferedMetric):
            usable[found.metric.name] = found
        else:
            broken.append(found)
    return tuple(usable.values()), tuple(broken)


def _load(entry: EntryPoint, taken: dict[str, OfferedMetric]) -> OfferedMetric | BrokenMetric:
    try:
        offered = entry.load()
    except Exception as error:  # noqa: BLE001  a third party's import may raise anything
        first = (str(error).splitlines() or [""])[0]
        return BrokenMetric(entry.name, f"{entry.value} does not load: {type(error).__name__} {first}")
    if not isinstance(offered, OfferedMetric):
        return BrokenMetric(entry.name, f"{entry.value} is no OfferedMetric but of type {type(offered).__name__}")
    metric = offered.metric
    if metric.name != entry.name:
        return BrokenMetric(entry.name, f"{entry.value} calls itself {metric.name!r}; the two names must be one")
    if metric.planes:
        return BrokenMetric(entry.name, f"{entry.value} has a value for each plane; only one a picture is taken")
    columns = {column for built_in in BUILT_IN_METRICS for column in (built_in.name, *built_in.columns)}
    if metric.name in columns or metric.name in taken or metric.name in RunResult.model_fields:
        return BrokenMetric(entry.name, f"{entry.value}: there is another metric or figure of this name")
    # What another package computes is never there on every machine.
    package = entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]
    return replace(offered, metric=replace(metric, package=metric.package or package))
