"""What is measured and decided, as data: one run, its validation, a comparison, and the folder they live in."""

from capbench.results.comparison import Comparison, MetricVerdict, StageShift, Verdict
from capbench.results.export_report import ExportReport, LatencyPercentiles, StageTimes
from capbench.results.run_record import SCHEMA_VERSION, FailureKind, RunResult, RunRole, TraceSample
from capbench.results.validation import (
    Check,
    CheckStatus,
    MetricSummary,
    PatchError,
    SavedFrame,
    ValidationReport,
    WorstFrame,
)

__all__ = [
    "SCHEMA_VERSION",
    "Check",
    "CheckStatus",
    "Comparison",
    "ExportReport",
    "FailureKind",
    "LatencyPercentiles",
    "MetricSummary",
    "MetricVerdict",
    "PatchError",
    "RunResult",
    "RunRole",
    "SavedFrame",
    "StageShift",
    "StageTimes",
    "TraceSample",
    "ValidationReport",
    "Verdict",
    "WorstFrame",
]
