"""The floor of a case: decode and encode again, nothing between. What no exporter with that codec pair can beat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.registry import FLOOR
from capbench.pipeline.export import run_job
from capbench.pipeline.job import ExportOptions, prepare
from capbench.pipeline.threads.stage_timer import Span
from capbench.results import ExportReport

__all__ = ["floor_export"]


def floor_export(
    source: str | Path,
    output: str | Path,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Encode the source as it is with the encoder of `options`: own size, own colour, own times, sound included.

    A source that is shown turned or stretched stays so: its display matrix and pixel aspect go on into the output.

    Scene, size, rate and path of `options` are ignored. Raises as `export` does.
    """
    started_ns = time.perf_counter_ns()
    plain = replace(options or ExportOptions(), scene="bare", path=None, width=None, height=None, fps=None)
    job = prepare(Path(source), Path(output), plain)
    # 4:2:0 has no odd sizes: the encoder drops the last column or row.
    canvas = CanvasSize(job.source.width // 2 * 2, job.source.height // 2 * 2)
    job = replace(job, canvas=canvas, path_requested=FLOOR)
    return run_job(job, started_ns, on_frame=on_frame, cancel=cancel, on_span=on_span)
