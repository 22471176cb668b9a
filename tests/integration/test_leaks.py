"""Ten exports leave as much behind as none: GPU objects, threads, open files, pictures."""

from __future__ import annotations

import gc
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import psutil
import pytest

from capbench.errors import CapbenchError
from capbench.pipeline.encode import VideoWriter
from capbench.pipeline.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.recordings import RecordingSpec, make_recording

EXPORTS = 10
OPTIONS = ExportOptions(scene="studio", encoder=EncoderSettings(preset="ultrafast"))


def held() -> Counter[str]:
    """What this process holds, by kind."""
    import wgpu  # noqa: PLC0415  only where there is an adapter

    for _ in range(3):  # rings of Python objects around native ones need more than one round
        gc.collect()
    counts: Counter[str] = Counter()
    for kind, row in wgpu.diagnostics.object_counts.get_dict().items():
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
@pytest.mark.parametrize("kind", ["gpu", "cpu", "gif", "failing"])
def test_exports_leave_nothing_behind(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_recording(RecordingSpec("leaks", 160, 90, 10, 0.6))
    output = tmp_path / ("out.gif" if kind == "gif" else "out.mp4")
    options = replace(OPTIONS, path="cpu" if kind in ("cpu", "gif") else "gpu")
    if kind == "failing":

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(VideoWriter, "flush", fail)

    def run() -> None:
        try:
            # A device that another export closed must not look like one that this export lost.
            assert export(source, output, options).fallbacks == ()
        except CapbenchError:
            assert kind == "failing"

    run()  # what is loaded and cached once is no leak
    before = held()
    for _ in range(EXPORTS if kind == "gpu" else 2):
        run()

    grown = held() - before
    assert grown == Counter()
