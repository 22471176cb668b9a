"""Exports whose picture is right and whose run is not, judged by the gate from records of runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from capbench.gate import compare
from capbench.quality.validate import validate
from capbench.results import Check, CheckStatus, RunResult, ValidationReport, Verdict
from capbench.results.folder import FolderContents
from capbench.results.tidy_table import table_of
from capbench.selftest.reencode import Remake, Tags, remake
from capbench.selftest.specimen import register_runs, source_clip

__all__: list[str] = []

_BLOCKS = 10
_NOISE = 0.01
"""Relative noise of wall time and memory, one standard deviation: a quiet machine."""
_FRAMES = 300


def _runs(seed: int, validation: ValidationReport, **changed: Any) -> list[RunResult]:
    """Ten blocks of an export that takes 4 s and 300 MB, with seeded noise and the named fields replaced or scaled."""
    noise = np.random.default_rng(seed)
    wall_ratio, memory_ratio = changed.pop("wall_ratio", 1.0), changed.pop("memory_ratio", 1.0)
    values: dict[str, Any] = {
        "frames": _FRAMES,
        "readback_bytes": _FRAMES * 1920 * 1080 * 3 // 2,
        "output_bytes": 4_000_000,
        "path_requested": "gpu",
        "path_used": "gpu",
        "fingerprint": "planted",
        "validation": validation,
        **changed,
    }
    return [
        RunResult(
            case="planted",
            subject="gpu",
            block=block,
            wall_s=4.0 * wall_ratio * float(np.exp(noise.normal(0, _NOISE))),
            cpu_s=7.0 * wall_ratio * float(np.exp(noise.normal(0, _NOISE))),
            peak_rss_bytes=round(300e6 * memory_ratio * float(np.exp(noise.normal(0, _NOISE)))),
            **values,
        )
        for block in range(_BLOCKS)
    ]


def judge_runs(base: Sequence[RunResult], new: Sequence[RunResult]) -> list[Check]:
    """The gate's verdicts as checks named `gate.<metric>`: worse and invalid fail."""
    checks = []
    for row in compare(_table("base", base), _table("new", new)).verdicts:
        bad = row.verdict in (Verdict.WORSE, Verdict.INVALID)
        checks.append(
            Check(
                name=f"gate.{row.metric}",
                status=CheckStatus.FAIL if bad else CheckStatus.PASS,
                message=row.sentence,
                value=row.ratio,
            )
        )
    return checks


def _table(folder: str, runs: Sequence[RunResult]) -> pd.DataFrame:
    return table_of([FolderContents(Path(folder), tuple(runs), (), None, ())])


@cache
def _validated(source: Path, qp: int) -> ValidationReport:
    """Of an export with nothing wrong but its quantiser. Made once: all that these specimens change is beside it."""
    with tempfile.TemporaryDirectory(prefix="capbench-selftest-") as folder:
        return validate(source, remake(source, Path(folder, f"qp-{qp}.mp4"), Remake(qp=qp)), with_vmaf=False)


def _planted(**changed: Any) -> list[Check]:
    """A run as it was against one with the change; both have the same, right picture."""
    report = _validated(source_clip(), 16)
    return judge_runs(_runs(1, report), _runs(2, report, **changed))


@register_runs(
    name="13x-slowdown", defect="a second device, a blocking wait a frame: 13 times slower", caught_by=["gate.wall_s"]
)
def _slow(_folder: Path) -> list[Check]:
    return _planted(wall_ratio=13.0)


@register_runs(name="5-percent-slower", defect="5% more wall and CPU time", caught_by=["gate.wall_s"])
def _slightly_slow(_folder: Path) -> list[Check]:
    return _planted(wall_ratio=1.05)


@register_runs(
    name="memory-leak", defect="frames are not released: peak memory is a third more", caught_by=["gate.peak_rss_bytes"]
)
def _leak(_folder: Path) -> list[Check]:
    return _planted(memory_ratio=1.33)


@register_runs(name="doubled-readback", defect="every picture is read back twice", caught_by=["gate.readback_bytes"])
def _readback(_folder: Path) -> list[Check]:
    return _planted(readback_bytes=2 * _FRAMES * 1920 * 1080 * 3 // 2)


@register_runs(name="output-20-percent-larger", defect="the output is 20% larger", caught_by=["gate.output_bytes"])
def _large(_folder: Path) -> list[Check]:
    return _planted(output_bytes=4_800_000)


@register_runs(
    name="silent-cpu-fallback",
    defect="`gpu` was requested, `cpu` ran, and the report does not say so",
    caught_by=["gate.wall_s"],
)
def _fallback(_folder: Path) -> list[Check]:
    return _planted(path_used="cpu")


@register_runs(
    name="qp-plus-6",
    defect="the quantiser is 6 higher, which halves the file and doubles the error",
    caught_by=["gate.quality.psnr_y.mean"],
)
def _coarse(_folder: Path) -> list[Check]:
    source = source_clip()
    return judge_runs(_runs(1, _validated(source, 16)), _runs(2, _validated(source, 22), output_bytes=2_000_000))


@register_runs(
    name="faster-but-wrong", defect="a faster export whose picture fails validation", caught_by=["gate.validation"]
)
def _wrong(folder: Path) -> list[Check]:
    source = source_clip()
    tags = Tags(matrix=6, primaries=6, transfer=6)
    wrong = validate(source, remake(source, folder / "fast-and-wrong.mp4", Remake(tags=tags)), with_vmaf=False)
    return judge_runs(_runs(1, _validated(source, 16)), _runs(2, wrong, wall_ratio=0.5))
