"""How a validation in parts grows faster with cores: measured once on one core, simulated for any number.

`python -m tests.bench.part_scaling REFERENCE OUTPUT --frames 1800 --json record.json`. Measured, in CPU time: matching
the frames of both files, a part by its frames, and a part of a single frame, which is what every part costs besides.
With these the simulation gives each part, as soon as its frames are matched, to the first core that is free. Matching
has half of the cores until it has ended, because decoders use them all, but cannot be faster than the one thread for
each file that looks at its frames. `--table record.json` prints the table from a record.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from capbench.quality.expectation import Expectation
from capbench.quality.inspection import inspect_files
from capbench.quality.parts.measure_part import measure_part
from capbench.quality.parts.part_plan import PartPlan
from capbench.quality.parts.records_json import records_as_json
from capbench.quality.reading.clip import Clip
from capbench.quality.reading.observed_frame import frame_digest, observe
from capbench.results.metric_registry import choose_metrics

__all__ = ["PartCost", "elapsed_s", "table_of"]

_METRICS = ("psnr", "ssim", "ffmpeg_psnr", "ffmpeg_ssim", "xpsnr")
_CORES = (1, 2, 4, 8, 16, 32)
_PARTS_A_CORE = 2
_LOOKED_AT = 60


@dataclass(frozen=True, slots=True)
class PartCost:
    """CPU times in seconds, of pairs of one size."""

    size: str
    """Width and height of the pictures."""
    matching_s: float
    """Of matching one frame."""
    looking_s: float
    """Of looking at one decoded frame: the part of matching that is one thread's."""
    pair_s: float
    """Of measuring one pair in a part."""
    part_s: float
    """Of one part, whatever it holds."""
    whole_pair_s: float
    """Of one frame, matched and measured in one piece."""
    after_s: float
    """Sound and what follows, once."""
    frames: int
    """Frames that were measured."""


def elapsed_s(cost: PartCost, frames: int, cores: int, parts: int) -> float:
    """Seconds until a validation of so many frames ends, by simulation."""
    bounds = [frames * number // parts for number in range(parts + 1)]
    matching_cores = max(1, cores // 2)
    frame_s = max(cost.matching_s / matching_cores, cost.looking_s)
    matched_s = frames * frame_s
    # The cores that match join the others when they are done.
    free_s = [0.0] * (cores - matching_cores) + [matched_s] * matching_cores
    heapq.heapify(free_s)
    for begin, end in itertools.pairwise(bounds):
        start_s = max(heapq.heappop(free_s), end * frame_s)
        heapq.heappush(free_s, start_s + cost.part_s + (end - begin) * cost.pair_s)
    return max(*free_s, matched_s) + cost.after_s


def table_of(cost: PartCost, frames: int) -> str:
    """What the simulation says of a clip of so many frames."""
    measured = (
        f"{cost.size}, {cost.frames} frames measured: matching {cost.matching_s * 1000:.1f} ms a frame, of which "
        f"{cost.looking_s * 1000:.1f} ms look at one file's, a pair "
        f"{cost.pair_s * 1000:.1f} ms, a part {cost.part_s:.2f} s besides; in one piece "
        f"{cost.whole_pair_s * 1000:.1f} ms a frame"
    )
    rows = [
        measured,
        "",
        f"| cores | parts | {frames} frames | of one core's time |",
        "|---|---|---|---|",
    ]
    alone_s = frames * cost.whole_pair_s + cost.after_s
    for cores in _CORES:
        parts = max(1, cores * _PARTS_A_CORE if cores > 1 else 1)
        took_s = elapsed_s(cost, frames, cores, parts)
        rows.append(f"| {cores} | {parts} | {took_s:.1f} s | {took_s / alone_s:.2f} |")
    return "\n".join(rows)


class _Later(Future[str]):
    """Measured when it is asked for, so that matching is timed alone."""

    def __init__(self, work: Callable[[], str]) -> None:
        super().__init__()
        self._work = work

    def result(self, timeout: float | None = None) -> str:
        del timeout
        return self._work()


class _Timed:
    """Measures parts one after the other in this process, and their CPU time."""

    def __init__(self, reference: Path, output: Path, parts: int) -> None:
        self.parts = parts
        self.threads: int | None = 1
        self.matched_s = 0.0
        self.spent: list[tuple[int, float]] = []
        self.single_s: list[float] = []
        self._files = reference, output

    def submit(self, plan: str) -> Future[str]:
        self.matched_s = time.process_time()
        return _Later(lambda: self._measure(PartPlan.from_json(plan)))

    def _measure(self, plan: PartPlan) -> str:
        single = replace(plan, frames=plan.frames[:1], before=(), behind=())
        begin_s = time.process_time()
        measure_part(*self._files, single)
        middle_s = time.process_time()
        records = measure_part(*self._files, plan)
        self.single_s.append(middle_s - begin_s)
        self.spent.append((len(plan.frames), time.process_time() - middle_s))
        return records_as_json(records, plan)


def _looking_s(path: Path) -> float:
    """CPU time of looking at one decoded frame."""
    frames = list(itertools.islice(Clip(path).frames(), _LOOKED_AT))
    begin_s = time.process_time()
    for _ in observe(frames, lambda frame: frame, digest=frame_digest):
        pass
    return (time.process_time() - begin_s) / len(frames)


def measure(reference: Path, output: Path, parts: int) -> PartCost:
    """Measure the costs on two files."""
    chosen = choose_metrics(_METRICS)
    begin_s = time.process_time()
    whole = inspect_files(reference, output, Expectation(), metrics=chosen)
    whole_s = time.process_time() - begin_s
    runner = _Timed(reference, output, parts)
    begin_s = time.process_time()
    inspect_files(reference, output, Expectation(), metrics=chosen, in_parts=runner)
    parted_s = time.process_time() - begin_s
    frames = len(whole.evidence.matches)
    matching_s = runner.matched_s - begin_s
    measured_s, single_s = sum(spent for _, spent in runner.spent), sum(runner.single_s)
    after_s = parted_s - matching_s - measured_s - single_s
    part_s = single_s / len(runner.single_s)
    facts = whole.evidence.output.facts
    return PartCost(
        size=f"{facts.width}x{facts.height}",
        matching_s=matching_s / frames,
        looking_s=_looking_s(output),
        pair_s=(measured_s - part_s * len(runner.spent)) / frames,
        part_s=part_s,
        whole_pair_s=(whole_s - after_s) / frames,
        after_s=after_s,
        frames=frames,
    )


def main() -> None:
    """Measure, or print the table of a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", nargs="?", type=Path)
    parser.add_argument("output", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=1800)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        cost = PartCost(**json.loads(options.table.read_text(encoding="utf-8")))
    else:
        if options.output is None:
            parser.error("name two files, or --table FILE")
        cost = measure(options.reference, options.output, options.parts)
        if options.json:
            options.json.write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table_of(cost, options.frames) + "\n")


if __name__ == "__main__":
    main()
