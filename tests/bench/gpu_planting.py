"""Planting work on the GPU: path `weighted` of `tests.bench.gpu_weight`, offered to workers as a package would.

Loads nothing of the pipeline, which belongs into the measured process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PATH", "VARIABLE", "Environment", "GpuPlanting"]

PATH = "weighted"
"""Name of the path."""
VARIABLE = "CAPBENCH_BENCH_GPU_TURNS"
"""Environment variable: turns of the loop in the pass that each frame has in addition."""
_METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: capbench-bench-weight\nVersion: 0\n",
    "entry_points.txt": f"[capbench.paths]\n{PATH} = tests.bench.gpu_weight:WeightedPath\n",
}

Environment = dict[str, str]


@dataclass(frozen=True, slots=True)
class GpuPlanting:
    """Additional work for the GPU, as variables of the environment of an export by path `weighted`."""

    import_path: str
    """PYTHONPATH with which a worker finds the path."""
    turns_per_ms: float
    """Turns of the loop that take a millisecond here."""

    @classmethod
    def made(cls, scratch: Path) -> GpuPlanting:
        """Write the metadata of a package that has the path, and measure how long its pass takes here."""
        site = scratch / "site"
        metadata = site / "capbench_bench_weight-0.dist-info"
        metadata.mkdir(parents=True)
        for name, text in _METADATA.items():
            (metadata / name).write_text(text, encoding="utf-8")
        inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        own = [str(site), str(Path(__file__).resolve().parents[2])]
        command = [sys.executable, "-m", "tests.bench.gpu_weight"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        return cls(os.pathsep.join([*own, *inherited]), float(printed))

    def of_ms(self, gpu_ms: float) -> Environment:
        """What gives each frame a pass of so many milliseconds."""
        return {"PYTHONPATH": self.import_path, VARIABLE: str(round(gpu_ms * self.turns_per_ms))}
