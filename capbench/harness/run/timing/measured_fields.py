"""From what a process used to the fields of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capbench.harness.machine.gpu_telemetry import Gauge, summarise
from capbench.harness.process.measured_process import Outcome
from capbench.results.run_record import RunResult

__all__ = ["measured_fields", "merged_fields", "with_bitrate"]


def measured_fields(outcome: Outcome, gauges: Sequence[Gauge], gauge_reasons: Mapping[str, str]) -> dict[str, Any]:
    """What was taken from outside the process. `gauge_reasons` maps readers of the GPU that are not there to why."""
    ending = outcome.ending
    cpu_s = None if ending.user_s is None or ending.system_s is None else ending.user_s + ending.system_s
    reasons: dict[str, str] = {}
    if cpu_s is None:
        reasons |= dict.fromkeys(
            ("process_wall_s", "cpu_s", "cpu_percent", "peak_rss_bytes"), ending.failure or "not reported"
        )
    if not outcome.samples:
        reasons["peak_tree_rss_bytes"] = "no sample was taken: sampling is off or the run was too short"
    count = len(outcome.samples)
    wall_s = ending.wall_s if outcome.running_s is None else outcome.running_s
    in_slices = outcome.running_s is not None
    return {
        "process_wall_s": wall_s,
        "cpu_s": cpu_s,
        "cpu_percent": 100 * cpu_s / wall_s if cpu_s is not None and wall_s else None,
        "cpu_per_core_percent": outcome.cpu_per_core_percent,
        "peak_rss_bytes": ending.peak_rss_bytes,
        "peak_tree_rss_bytes": max((sample.rss_bytes for sample in outcome.samples), default=None),
        "trace": outcome.samples,
        "sample_interval_s": outcome.samples[-1].time_s / count if count else None,
        "sampler_cpu_s": outcome.sampler_cpu_s,
        "telemetry": {} if in_slices else summarise(gauges, dict(gauge_reasons)),
        "unmeasured": reasons,
    }


def merged_fields(report: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """The pipeline's report and the outside measure; both may have reasons for what they could not measure."""
    reasons = report.get("unmeasured", {}) | measured.get("unmeasured", {})
    return report | measured | {"unmeasured": reasons}


def with_bitrate(run: RunResult) -> RunResult:
    """The run with its bit rate, or the reason why there is none."""
    if not run.output_bytes or not run.duration_s:
        return run.model_copy(update={"unmeasured": run.unmeasured | {"bitrate_bits_per_s": "length or size unknown"}})
    return run.model_copy(update={"bitrate_bits_per_s": 8 * run.output_bytes / run.duration_s})
