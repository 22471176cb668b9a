"""Ten exports leave as much behind as none: GPU objects, threads, open files, pictures."""

from __future__ import annotations

import gc
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from capbench.errors import CapbenchError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.encode.mp4 import VideoEncoder
from capbench.pipeline.export import ExportOptions, export
from capbench.recordings import RecordingSpec, make_recording

KINDS = ("gpu", "cpu", "gif", "failing", "gpu", "cpu", "gif", "failing", "gpu-fused", "gpu")
OPTIONS = ExportOptions(scene="studio", encoder=EncoderSettings(preset="ultrafast"))


def held() -> Counter[str]:
    """What this process holds, by kind."""
    import wgpu  # only where there is an adapter

    for _ in range(3):  # rings of Python objects around native ones need more than one round
        gc.collect()
    counts: Counter[str] = Counter()
    diagnostics: Any = wgpu.diagnostics  # type: ignore[attr-defined]  # made when wgpu is imported
    for kind, row in diagnostics.object_counts.get_dict().items():
        counts[f"wgpu {kind}"] = row["count"]
    counts["threads"] = threading.active_count()
    counts["pictures"] = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    process = psutil.Process()
    if sys.platform == "win32":
        counts["files"] = process.num_handles()
    else:
        counts["files"] = process.num_fds()
    return counts


@pytest.mark.usefixtures("gpu")
def test_ten_exports_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_recording(RecordingSpec("leaks", 160, 90, 10, 0.6))
    finish = VideoEncoder.finish

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def run(kind: str) -> None:
        output = tmp_path / ("out.gif" if kind == "gif" else "out.mp4")
        path = "cpu" if kind == "gif" else "gpu" if kind == "failing" else kind
        monkeypatch.setattr(VideoEncoder, "finish", fail if kind == "failing" else finish)
        try:
            # A device that another export closed must not look like one that this export lost.
            assert export(source, output, replace(OPTIONS, path=path)).fallbacks == ()
        except CapbenchError:
            assert kind == "failing"

    for kind in dict.fromkeys(KINDS):  # what is loaded and cached once is no leak
        run(kind)
    before = held()
    for kind in KINDS:
        run(kind)

    assert held() - before == Counter()
