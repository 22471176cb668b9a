"""A shader that truncates, on a real export: however fast it is said to be, the gate must never call it better."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from capbench import resources
from capbench.gate import compare
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import export
from capbench.pipeline.job import ExportOptions
from capbench.quality.validate import validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import Comparison, RunResult, Verdict
from capbench.results.tidy_table import tidy_row
from tests.gate_runs import noisy

pytestmark = pytest.mark.usefixtures("gpu")


def _table(source: Path, folder: Path, path: str, wall_s: list[float]) -> pd.DataFrame:
    """One real export with its validation, as if it had been timed like this in each block."""
    output = folder / f"{path}.mp4"
    # A constant quantiser: over one second, rate control gives either path 3% more bits or fewer, worth 0.1 dB.
    report = export(source, output, ExportOptions(path=path, encoder=EncoderSettings(preset="ultrafast", qp=18)))
    validation = validate_run(source, output)
    measured = report.model_dump() | {"validation": validation, "case": "clip", "subject": path, "fingerprint": "here"}
    return pd.DataFrame(
        [tidy_row(RunResult(**measured | {"block": block, "wall_s": wall})) for block, wall in enumerate(wall_s)]
    )


def _judged(source: Path, folder: Path, cpu: pd.DataFrame) -> Comparison:
    """`gpu`, said to take 60% of the time of `cpu`."""
    return compare(cpu, _table(source, folder, "gpu", noisy(10, ratio=0.6, seed=2)))


def test_a_truncating_conversion_is_never_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_recording(RecordingSpec(name="gate", width=640, height=360, fps=30, duration_s=1))
    shaders = tmp_path / "shaders"
    shutil.copytree(resources.shaders_folder(), shaders)
    nv12 = (shaders / "shared" / "nv12.wgsl").read_text(encoding="utf-8")
    assert nv12.count("return pack4x8unorm(") == 2, "the shader rounds in another way now: plant the truncation there"

    cpu = _table(source, tmp_path, "cpu", noisy(10))  # which has no shader
    honest = _judged(source, tmp_path, cpu)
    (shaders / "shared" / "nv12.wgsl").write_text(
        nv12.replace("return pack4x8unorm(", "return pack4x8unorm(-0.5 / 255.0 + "), encoding="utf-8"
    )
    monkeypatch.setattr(resources, "shaders_folder", lambda: shaders)
    truncating = _judged(source, tmp_path, cpu)

    assert honest.verdict is Verdict.BETTER, honest.sentence
    assert truncating.verdict in (Verdict.INVALID, Verdict.WORSE), truncating.sentence
    assert next(row for row in truncating.verdicts if row.metric == "wall_s").verdict is Verdict.INVALID
