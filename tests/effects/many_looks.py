"""Draws, measures and deletes thousands of seeded looks on all cores: right ones and faults, in one command.

python -m tests.effects.many_looks RESULTS.jsonl [--jobs N] [--minutes M] [--right N] [--faults N] [--first SEED]

One line of JSON is written for each look as soon as it is measured, so that nothing but that is kept, and the same
command goes on where it ended. Right looks and faults take turns: wherever it ends, there are as many of each kind.
`--minutes` bounds when the last look begins. `python -m tests.effects.study RESULTS.jsonl...` makes the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from capbench.quality.effects.inspect_output import measure_effects
from capbench.results.appearance.expected_look import ExpectedLook
from tests.effects.draw_files import camera_folder, draw_planted, source_file
from tests.effects.kept_results import finding_line, kept_names
from tests.effects.planted_faults import FAULTS, PlantedLook, planted
from tests.effects.seeded_looks import SOURCE_SEEDS, asked_look, coarseness, seeded_look
from tests.effects.study import end_with_workers

__all__ = ["LookJob", "jobs_from", "measure_looks", "measured_look"]

_FIRST: Final = 100_000
"""Far from every seed that a check was tuned on."""
_AHEAD: Final = 2
"""Looks that wait for each worker: more would begin after the time."""


@dataclass(frozen=True, slots=True)
class LookJob:
    """A look that is to be drawn and measured."""

    seed: int
    """Of the look."""
    fault: int | None
    """Number of the fault that is planted in it; None in a right one."""

    @property
    def name(self) -> str:
        """Tells looks apart."""
        return f"right-{self.seed}" if self.fault is None else f"fault-{self.fault}-{self.seed}"

    def look(self, cameras: Path) -> PlantedLook:
        """What is asked and drawn, in a quality from the seed."""
        if self.fault is None:
            right = seeded_look(self.seed, cameras / "camera.mp4")
            one = PlantedLook(right, right)
        else:
            one = planted(FAULTS[self.fault], self.seed, cameras)
        return replace(one, drawn=replace(one.drawn, crf=coarseness(self.seed)))


def jobs_from(first: int, right: int, faults: int) -> Iterator[LookJob]:
    """So many right looks and so many of each kind of fault, in turns, with seeds from the first one on."""
    planted_count = faults * len(FAULTS)
    for turn in range(max(right, planted_count)):
        if turn < right:
            yield LookJob(first + turn, None)
        if turn < planted_count:
            yield LookJob(first + turn, turn % len(FAULTS))


def measured_look(job: LookJob, folder: Path) -> dict[str, Any]:  # a line of JSON
    """Draw a look, measure it and delete its file. `folder` holds the recordings that it is drawn from."""
    began_s = time.monotonic()
    one = job.look(camera_folder(folder))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "look.mp4"
        source = draw_planted(one, folder, path)
        drawn_s = time.monotonic()
        findings = measure_effects(source, path, ExpectedLook.model_validate(asked_look(one.asked))).findings
    return {
        "look": job.name,
        "fault": "" if job.fault is None else FAULTS[job.fault].name,
        "crf": one.drawn.crf,
        "canvas": one.drawn.canvas,
        "seconds": [round(drawn_s - began_s, 1), round(time.monotonic() - drawn_s, 1)],
        "findings": [finding_line(finding) for finding in findings],
    }


def _line_of(job: LookJob, measured: Future[dict[str, Any]]) -> dict[str, Any]:  # as above
    """What was measured; of a look that could not be drawn or measured the error, which ends none of the others."""
    error = measured.exception()
    if error is None:
        return measured.result()
    if isinstance(error, BrokenExecutor):  # a worker was killed: all that comes after would fail
        raise error
    fault = "" if job.fault is None else FAULTS[job.fault].name
    return {"look": job.name, "fault": fault, "crf": coarseness(job.seed), "findings": [], "error": repr(error)}


def measure_looks(
    jobs: Iterable[LookJob],
    results: Path,
    *,
    workers: int,
    ends_s: float = math.inf,
    measure: Callable[[LookJob, Path], dict[str, Any]] = measured_look,
) -> None:
    """Measure looks that the results do not have by so many processes; none begins after a monotonic time.

    `measure` is a function of a module: the processes import it.

    Raises:
        BrokenExecutor: a worker was killed.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    done = kept_names(results)
    left = (job for job in jobs if job.name not in done)
    with tempfile.TemporaryDirectory(prefix="many-looks-") as scratch:
        folder = Path(scratch)
        camera_folder(folder)
        for seed in SOURCE_SEEDS:
            source_file(folder, seed)
        # Spawned, so that the libraries of a worker begin with the threads that the environment says.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context) as pool, results.open("a", encoding="utf-8") as lines:
            waiting: dict[Future[dict[str, Any]], LookJob] = {}
            while True:
                if time.monotonic() < ends_s:
                    for job in islice(left, _AHEAD * workers - len(waiting)):
                        waiting[pool.submit(measure, job, folder)] = job
                else:
                    waiting = {each: job for each, job in waiting.items() if not each.cancel()}
                if not waiting:
                    return
                for each in wait(waiting, return_when=FIRST_COMPLETED).done:
                    lines.write(json.dumps(_line_of(waiting.pop(each), each), separators=(",", ":")) + "\n")
                lines.flush()


def main() -> None:
    """Measure what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, metavar="RESULTS.jsonl")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--right", type=int, default=100_000)
    parser.add_argument("--faults", type=int, default=2_500, help="looks of each kind of fault")
    parser.add_argument("--first", type=int, default=_FIRST, help="first seed")
    options = parser.parse_args()
    ends_s = time.monotonic() + 60 * options.minutes
    # Each worker has a core: the libraries' own threads would only wait for one another.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    signal.signal(signal.SIGTERM, end_with_workers)
    jobs = jobs_from(options.first, options.right, options.faults)
    measure_looks(jobs, options.results, workers=options.jobs, ends_s=ends_s)
    count, size = len(kept_names(options.results)), options.results.stat().st_size
    sys.stdout.write(f"{count} looks in {options.results}, {size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
