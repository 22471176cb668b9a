"""Result folders on disk for the tests of the gate, written by the code that the harness writes them with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capbench.results import Check, CheckStatus, MetricSummary, RunResult, RunRole, StageTimes, ValidationReport
from capbench.results.folder import run_file_name, write_record
from capbench.results.subject_name import SubjectName


def write_runs(
    folder: Path,
    subject: str,
    wall_s: Sequence[float],
    *,
    case: str = "1080p",
    first_block: int = 0,
    failing_check: str | None = None,
    **fields: Any,
) -> None:
    """One measured run a block with these wall times; `fields` replaces fields of the run."""
    for block, wall in enumerate(wall_s, first_block):
        path = SubjectName.parse(subject).subject
        known: dict[str, Any] = {
            "case": case,
            "subject": subject,
            "block": block,
            "wall_s": wall,
            "cpu_s": 8.0,
            "frames": 300,
            "peak_rss_bytes": 300_000_000,
            "readback_bytes": 3_000_000 if path.startswith("gpu") else 8_000_000,
            "output_bytes": 1_000_000,
            "path_requested": None if path == "floor" else path,
            "path_used": None if path == "floor" else path,
            "fingerprint": "machine-a",
            "adapter": "Test adapter",
            "adapter_is_software": False,
            "stages": {"encode": StageTimes(work_s=wall * 0.8, wait_input_s=0.0, wait_output_s=0.0)},
            "validation": None if path == "floor" else _validation(failing_check),
        }
        run = RunResult(**(known | fields))
        write_record(folder / "runs" / run_file_name(case, subject, RunRole.MEASURE, block), run)


def write_plan(
    folder: Path,
    command: Sequence[str],
    *,
    blocks: int,
    extra: Mapping[str, Any] | None = None,
    subjects: Sequence[str] = (),
    reference: str | None = None,
    base: str | None = None,
) -> None:
    """As much of `matrix.json` as the gate reads."""
    matrix: dict[str, Any] = {"cases": [{"name": "1080p", "blocks": blocks}]}
    if subjects:
        matrix["subjects"] = [{"name": name} for name in subjects]
    plan = {"command": list(command), "matrix": matrix | {"reference": reference}, "base": base, **(extra or {})}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matrix.json").write_text(json.dumps(plan), encoding="utf-8")


def _validation(failing_check: str | None) -> ValidationReport:
    status = CheckStatus.PASS if failing_check is None else CheckStatus.FAIL
    summary = MetricSummary(
        mean=40.0, harmonic_mean=40.0, p5=39.0, p1=38.0, worst=37.0, worst_frame=3, frames=300, unit="dB"
    )
    return ValidationReport(
        reference="reference.mp4",
        output="output.mp4",
        checks=(Check(name=failing_check or "frames.missing", status=status, message="none missing"),),
        metrics={"psnr_y": summary},
        frames_compared=300,
    )
