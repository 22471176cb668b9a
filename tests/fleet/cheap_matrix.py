"""A matrix whose subjects copy a clip of half a second: a run costs a process, and nothing needs a GPU or ffmpeg."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import av
import numpy as np

from capbench.results.folder import read_folder
from capbench.results.run_record import RunRole

__all__ = ["SUBJECTS", "measured_runs", "split_blocks", "write_matrix"]

SUBJECTS = ("a", "b", "c")
_COPY = "import shutil, sys, time; time.sleep(float(sys.argv[3])); shutil.copyfile(sys.argv[1], sys.argv[2])"


def write_matrix(folder: Path, *, cases: int, blocks: int, subjects: int = 3, run_s: float = 0.05) -> Path:
    """Write the clip and the matrix file into a folder; returns the matrix file."""
    _write_clip(folder / "clip.mp4")
    names = SUBJECTS[:subjects]
    lines = [
        "[defaults]",
        f"blocks = {blocks}",
        "settle_s = 0",
        "warmup = false",
        "drift_control = false",
        'metrics = ["psnr"]',
        f"subjects = {json.dumps(names)}",
    ]
    for number in range(cases):
        lines += ["[[case]]", f'name = "case{number}"', 'source = "clip.mp4"']
    for name in names:
        command = [sys.executable, "-c", _COPY, "{source}", "{output}", f"{run_s}"]
        lines += ["[[subject]]", f'name = "{name}"', f"command = {json.dumps(command)}"]
    file = folder / "cheap.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _write_clip(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(15):
            picture = np.full((120, 160, 3), 10 * number, np.uint8)
            picture[:, 5 * number : 5 * number + 20] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def measured_runs(folder: Path) -> Counter[tuple[str, str, int]]:
    """Case, subject and block of the measured runs of a result folder that succeeded, with how often each is there."""
    runs = read_folder(folder).runs
    return Counter(
        (run.case, run.subject, run.block) for run in runs if run.role is RunRole.MEASURE and run.error is None
    )


def split_blocks(folder: Path) -> list[tuple[str, int]]:
    """Blocks whose runs are of more than one machine: there must be none."""
    machines: dict[tuple[str, int], set[str | None]] = {}
    for run in read_folder(folder).runs:
        if run.role is RunRole.MEASURE:
            machines.setdefault((run.case, run.block), set()).add(run.machine)
    return [block for block, found in machines.items() if len(found) > 1]
