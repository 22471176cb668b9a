"""What every thread of an export did, as a Chrome trace: ui.perfetto.dev and chrome://tracing open it as is.

Format: "Trace Event Format", JSON object form. Threads are tracks of complete events (`X`), stages name the events,
waits are events of their own; GPU passes are asynchronous events (`b`, `e`) on one more track, because several frames
are in flight; frames between two stages are counters (`C`). Times are in microseconds.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from capbench.pipeline.threads.stage_timer import Span

__all__ = ["GPU_STAGE", "TraceRecorder", "trace_events"]

GPU_STAGE = "gpu"
"""Stage name of GPU passes. Their length is measured by the GPU; they are placed where they were read back."""
_GPU_TRACK = "GPU passes"
_PROCESS = 1
_QUEUES = {
    "decoded, not yet taken": ("decode", ("upload", "encode")),
    "uploaded, not yet drawn": ("upload", ("render",)),
    "on the GPU": ("render", ("readback",)),
    "read back, not yet taken": ("readback", ("convert", "encode")),
    "converted, not yet taken": ("convert", ("encode",)),
}
"""Queue to the stage that fills it and those that may empty it; the first that exists in the trace does."""


class RecordedSpan(NamedTuple):
    """A span and the thread that it happened on."""

    thread: str
    span: Span


class TraceRecorder:
    """Collects spans from all threads of an export; appending to a list is atomic in Python."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []

    def __call__(self, span: Span) -> None:
        """Keep one span; called on the thread whose time it is."""
        self.spans.append(RecordedSpan(threading.current_thread().name, span))

    def write(self, target: Path) -> None:
        """Write the trace. Not atomic: the run's folder is the runner's, which restarts a killed run."""
        document = {"traceEvents": trace_events(self.spans), "displayTimeUnit": "ms"}
        target.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def trace_events(spans: list[RecordedSpan]) -> list[dict[str, Any]]:
    """Events of a trace from spans in the order in which they ended."""
    if not spans:
        return []
    origin_ns = min(recorded.span.start_ns for recorded in spans)
    threads: dict[str, int] = {}
    done: Counter[str] = Counter()
    events: list[dict[str, Any]] = []
    numbered: list[tuple[Span, int]] = []
    for thread, span in spans:
        # Each stage handles each frame once and in order, so a stage that does not number its frames can be counted.
        frame = span.frame if span.frame is not None else done[span.stage]
        if span.kind == "work":
            done[span.stage] += 1
            numbered.append((span, frame))
        if span.stage == GPU_STAGE:
            events += _gpu_events(span, frame, origin_ns, threads.setdefault(_GPU_TRACK, len(threads) + 1))
            continue
        name = span.stage if span.kind == "work" else f"{span.stage} {span.kind.replace('_', 's for ')}"
        events.append(
            {
                "name": name,
                "cat": span.kind,
                "ph": "X",
                "ts": (span.start_ns - origin_ns) / 1000,
                "dur": (span.end_ns - span.start_ns) / 1000,
                "pid": _PROCESS,
                "tid": threads.setdefault(thread, len(threads) + 1),
                "args": {"frame": frame},
            }
        )
    return [*_names(threads), *events, *_queue_events(numbered, origin_ns)]


def _names(threads: dict[str, int]) -> list[dict[str, Any]]:
    process = {"name": "process_name", "ph": "M", "pid": _PROCESS, "args": {"name": "export"}}
    return [
        process,
        *(
            {"name": "thread_name", "ph": "M", "pid": _PROCESS, "tid": number, "args": {"name": thread}}
            for thread, number in threads.items()
        ),
    ]


def _gpu_events(span: Span, frame: int, origin_ns: int, track: int) -> list[dict[str, Any]]:
    common = {"name": "passes", "cat": GPU_STAGE, "id": frame, "pid": _PROCESS, "tid": track}
    return [
        common | {"ph": "b", "ts": (span.start_ns - origin_ns) / 1000, "args": {"frame": frame}},
        common | {"ph": "e", "ts": (span.end_ns - origin_ns) / 1000, "args": {}},
    ]


def _queue_events(numbered: list[tuple[Span, int]], origin_ns: int) -> list[dict[str, Any]]:
    """Number of frames between two stages, at each change."""
    stages = {span.stage for span, _ in numbered}
    events: list[dict[str, Any]] = []
    for queue, (filler, emptiers) in _QUEUES.items():
        emptier = next((stage for stage in emptiers if stage in stages), None)
        if filler not in stages or emptier is None:
            continue
        frames = {
            stage: {frame: span for span, frame in numbered if span.stage == stage} for stage in (filler, emptier)
        }
        # A stage's last mark may have no frame: only what both stages saw was ever queued.
        queued = frames[filler].keys() & frames[emptier].keys()
        changes = [(frames[filler][frame].end_ns, 1) for frame in queued]
        changes += [(frames[emptier][frame].start_ns, -1) for frame in queued]
        depth = 0
        for time_ns, change in sorted(changes, key=lambda pair: (pair[0], -pair[1])):
            depth += change
            events.append(
                {
                    "name": queue,
                    "ph": "C",
                    "ts": (time_ns - origin_ns) / 1000,
                    "pid": _PROCESS,
                    "args": {"frames": depth},
                }
            )
    return events
