"""A valve that is shut leaves the GPU idle, and costs the film nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import export
from capbench.pipeline.gpu import readback_ring
from capbench.pipeline.gpu.device import GpuContext, wait_for
from capbench.pipeline.gpu.readback_ring import ReadbackRing
from capbench.pipeline.job import ExportOptions
from capbench.recordings import RecordingSpec, make_recording

FRAMES = 8


class _Valve:
    """Shut before every second frame; writes down what happens to the ring of pictures and when it is asked to wait."""

    def __init__(self) -> None:
        self.asked = 0
        self.log: list[str] = []

    def begin(self, *, is_software: bool) -> None:
        self.log.append(f"begin {is_software}")

    def is_shut(self) -> bool:
        self.asked += 1
        return self.asked % 2 == 0

    def wait_idle(self) -> None:
        self.log.append("idle")

    def end(self) -> None:
        self.log.append("end")


@pytest.mark.parametrize("path", ["gpu", "cpu", "gpu-late"])
def test_nothing_is_on_the_gpu_while_the_valve_is_shut(
    gpu: GpuContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    spec = RecordingSpec(name="valve", width=320, height=180, fps=30, duration_s=FRAMES / 30)
    source, valve = make_recording(spec), _Valve()
    submitted = ReadbackRing.submitted

    def note_submitted(ring: ReadbackRing[object], tag: object) -> None:
        valve.log.append("submit")
        submitted(ring, tag)

    def note_waited(promise: object, *arguments: object) -> None:
        wait_for(promise, *arguments)  # type: ignore[arg-type]
        valve.log.append("waited")

    options = ExportOptions(path=path, encoder=EncoderSettings(preset="ultrafast", qp=0))
    plain = export(source, tmp_path / "plain.mp4", options)
    monkeypatch.setattr(ReadbackRing, "submitted", note_submitted)
    monkeypatch.setattr(readback_ring, "wait_for", note_waited)
    report = export(source, tmp_path / "held.mp4", options, valve=valve)

    assert report.frames == plain.frames == FRAMES
    assert (tmp_path / "held.mp4").read_bytes() == (tmp_path / "plain.mp4").read_bytes()
    assert valve.log[0] == f"begin {gpu.is_software}"
    assert valve.log[-1] == "end"
    assert valve.log.count("idle") == FRAMES // 2
    for place, word in enumerate(valve.log):
        if word == "idle":
            assert valve.log[place - 1] == "waited"
            assert valve.log[place + 1] == "submit"
