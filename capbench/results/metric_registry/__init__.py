"""The one registry of quality metrics: names, units, directions, margins; built in, and offered by other packages."""

from capbench.results.metric_registry.built_in_metrics import BUILT_IN_METRICS, PSNR_CEILING_DB
from capbench.results.metric_registry.choose_metrics import (
    DEFAULT_METRICS,
    choose_metrics,
    columns_of,
    known_metrics,
    metric_of,
    require_metric,
)
from capbench.results.metric_registry.installed_metrics import (
    METRICS_GROUP,
    OfferedMetric,
    offered_metrics,
)
from capbench.results.metric_registry.quality_metric import Direction, MeasuredFrames, MetricMargins, QualityMetric

__all__ = [
    "BUILT_IN_METRICS",
    "DEFAULT_METRICS",
    "METRICS_GROUP",
    "PSNR_CEILING_DB",
    "Direction",
    "MeasuredFrames",
    "MetricMargins",
    "OfferedMetric",
    "QualityMetric",
    "choose_metrics",
    "columns_of",
    "known_metrics",
    "metric_of",
    "offered_metrics",
    "require_metric",
]
