"""What each metric costs: CPU time of a validation with it, less that of one without (table in docs/validation.md).

    python -m tests.bench.metric_cost [--seconds 10] [METRIC...]

CPU time of this process and of the programs that it starts, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from capbench.quality.metrics.libvmaf.find_vmaf import find_tool
from capbench.quality.validate import validate
from capbench.recordings import RecordingSpec, make_recording
from capbench.results.metric_registry import known_metrics
from capbench.selftest.reencode import Remake, remake

_BASE = "psnr"
"""Measured anyway, because the checks need it."""


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _cost(reference: Path, output: Path, metrics: Sequence[str]) -> tuple[float, float, int]:
    """CPU seconds, wall seconds, frames measured of the last metric."""
    cpu, wall = _cpu_s(), time.perf_counter()
    report = validate(reference, output, metrics=metrics)
    frames = list(report.metrics.values())[-1].frames if report.metrics else 0
    return _cpu_s() - cpu, time.perf_counter() - wall, frames


def main() -> None:
    """Print one row a metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", nargs="*", default=[metric.name for metric in known_metrics()])
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    find_tool()  # the search is not part of any metric
    with tempfile.TemporaryDirectory() as folder:
        recording = make_recording(RecordingSpec("metric-cost", 1920, 1080, 30, asked.seconds))
        output = remake(recording, Path(folder, "output.mp4"), Remake())
        _cost(recording, output, [_BASE])  # libraries are loaded once
        base, wall, frames = _cost(recording, output, [_BASE])
        sys.stdout.write(f"{_BASE} and all checks: {base:.1f} CPU s, {wall:.1f} s, {frames} frames\n")
        for names in [*([name] for name in asked.metrics), ["vmaf", "vmaf_neg"], list(asked.metrics)]:
            cpu, wall, frames = _cost(recording, output, [_BASE, *names])
            more = cpu - base
            words = f"{more:+.1f} CPU s, {more / max(frames, 1) * 1e3:.1f} ms a frame of {frames}; {wall:.1f} s in all"
            sys.stdout.write(f"{' '.join(names)}: {words}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
