"""A trace from known spans: every event, its frame, and how many frames waited where."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from capbench.harness.worker.perfetto import GPU_STAGE, RecordedSpan, TraceRecorder, trace_events
from capbench.pipeline.threads.stage_timer import Span, StageTimer


def _spans() -> list[RecordedSpan]:
    """Two frames: both decoded before the first is encoded. Microseconds times 1000."""
    return [
        RecordedSpan("decoder", Span("decode", "work", 1000, 3000, None)),
        RecordedSpan("decoder", Span("decode", "wait_output", 3000, 4000, None)),
        RecordedSpan("decoder", Span("decode", "work", 4000, 6000, None)),
        RecordedSpan("encoder", Span("encode", "wait_input", 1000, 7000, 0)),
        RecordedSpan("encoder", Span("encode", "work", 7000, 9000, 0)),
        RecordedSpan("encoder", Span(GPU_STAGE, "work", 8000, 8500, None)),
        RecordedSpan("encoder", Span("encode", "work", 9000, 12000, 1)),
    ]


def _of(events: list[dict[str, Any]], phase: str) -> list[dict[str, Any]]:
    return [event for event in events if event["ph"] == phase]


def test_spans_become_complete_events_in_microseconds_with_frame_numbers() -> None:
    events = _of(trace_events(_spans()), "X")

    assert [(e["name"], e["cat"], e["ts"], e["dur"], e["args"]["frame"]) for e in events] == [
        ("decode", "work", 0.0, 2.0, 0),
        ("decode waits for output", "wait_output", 2.0, 1.0, 1),
        ("decode", "work", 3.0, 2.0, 1),
        ("encode waits for input", "wait_input", 0.0, 6.0, 0),
        ("encode", "work", 6.0, 2.0, 0),
        ("encode", "work", 8.0, 3.0, 1),
    ]


def test_threads_are_named_tracks() -> None:
    events = trace_events(_spans())

    names = {e["tid"]: e["args"]["name"] for e in _of(events, "M") if e["name"] == "thread_name"}
    assert sorted(names.values()) == ["GPU passes", "decoder", "encoder"]
    assert {names[e["tid"]] for e in _of(events, "X") if e["name"] == "decode"} == {"decoder"}


def test_gpu_passes_are_a_track_of_their_own() -> None:
    begin, end = _of(trace_events(_spans()), "b")[0], _of(trace_events(_spans()), "e")[0]

    assert (begin["ts"], end["ts"], begin["id"], end["id"], begin["args"]) == (7.0, 7.5, 0, 0, {"frame": 0})


def test_queue_depth_counts_frames_between_two_stages() -> None:
    depths = [(e["ts"], e["args"]["frames"]) for e in _of(trace_events(_spans()), "C")]

    assert depths == [(2.0, 1), (5.0, 2), (6.0, 1), (8.0, 0)]


def test_nothing_recorded_is_an_empty_trace() -> None:
    assert trace_events([]) == []


def test_the_recorder_knows_the_thread_and_writes_what_perfetto_reads(tmp_path: Path) -> None:
    recorder = TraceRecorder()

    def work() -> None:
        StageTimer(now_ns=iter([0, 5000]).__next__, on_span=recorder).mark("decode")

    thread = threading.Thread(target=work, name="decoder")
    thread.start()
    thread.join()
    recorder.write(tmp_path / "trace.json")

    document = json.loads((tmp_path / "trace.json").read_text())
    assert [e["args"] for e in document["traceEvents"] if e["ph"] == "M"] == [{"name": "export"}, {"name": "decoder"}]
    assert [e["dur"] for e in document["traceEvents"] if e["ph"] == "X"] == [5.0]
