"""Records pairs of real exports, plain and in slices, in the same minutes.

    python -m tests.bench.slice_record --condition quiet --pairs 60 --out quiet.jsonl

A round makes one pair of equals and one pair for each planted slowdown, of each variant (plain and in slices unless
`--variant` names others), all in shuffled order; `--condition neighbours` starts `tests.bench.neighbours` first. Every
pair is one line of JSON, written as soon as it is there; a file that exists is continued.
`tests.bench.slice_evaluate` says what is in it.

The slowdown is CPU work of a share of what the export took before the neighbours came, the same in every pair
(`capbench.harness.worker.slowdown`). What it really took is recorded beside it: that, not the share, is the truth that
an estimate must meet. A variant with `gpu_ms` has a pass of that length on every frame (`tests.bench.gpu_weight`), and
the slowdown lengthens that pass; what this does to the export's time, the plain pairs tell.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from capbench.harness.matrix.model import DEFAULT_SLICE_MS
from capbench.harness.process.freezer import make_cgroup
from capbench.harness.process.gpu_valve import GpuValve
from capbench.harness.process.scheduling import before_the_subject
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices
from capbench.harness.worker.client import JobResult, ask_worker
from capbench.harness.worker.slowdown import VARIABLE
from capbench.results.run_record import Scheduling
from tests.bench.gpu_planting import PATH, Environment, GpuPlanting

__all__ = ["main"]

_TIMEOUT_S = 300.0
_ALONE_EXPORTS = 5
_ADDR_NO_RANDOMIZE = 0x0040000
"""From <linux/personality.h>."""
_PLANTED = re.compile(r"^injected slowdown: .*, ([0-9.]+) s$")
"""How the worker tells what a planted slowdown really took."""
_SETTLE_S = 3.0
"""Neighbours begin to compute before the first pair."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of making a pair."""

    slice_ms: float | None = None
    """Mean length of a slice; None for whole runs, one after the other."""
    seconds: float = 1.0
    """Length of the recording that is exported."""
    cores: int | None = None
    """Pinned to the first so many cores; None for all. Linux."""
    layout: str = "random"
    """`fixed` switches address-space layout randomisation off. Linux."""
    means: str = "best"
    """`signals` leaves `cgroup.freeze` alone even where it is there."""
    height: int = 720
    """Of the recording, which is 16:9."""
    gpu_ms: float = 0.0
    """Length of a pass that every frame has in addition, which the slowdown lengthens; 0 for none."""
    scheduling: Scheduling = "normal"
    """Policy of the exports; `realtime` needs the right to it."""
    idle: str = "waits"
    """`ignored` stops a process while a hardware GPU still works for it."""

    @classmethod
    def parse(cls, text: str) -> Variant:
        """`plain`, or settings such as `slice_ms=100,seconds=2`. Raises `ValueError`."""
        said = dict(part.split("=", 1) for part in text.split(",") if part != "plain")
        kinds: dict[str, Callable[[str], Any]] = {
            "slice_ms": float,
            "seconds": float,
            "cores": int,
            "height": int,
            "gpu_ms": float,
        }
        return cls(**{key: kinds.get(key, str)(value) for key, value in said.items()})

    @property
    def name(self) -> str:
        """As it is written in the record: what differs from the default."""
        said = [f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in self._said()]
        return ",".join(said) or "plain"

    def _said(self) -> list[tuple[str, Any]]:
        return [
            (field.name, getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Pin this thread and fix its layout, which its children inherit, for the length of the block."""
        before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
        if self.cores:
            os.sched_setaffinity(0, sorted(before)[: self.cores])
        if self.layout == "fixed":
            ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)
        try:
            yield
        finally:
            if self.cores:
                os.sched_setaffinity(0, before)
            if self.layout == "fixed":
                ctypes.CDLL(None).personality(0)


def main(arguments: list[str] | None = None) -> int:
    """Make rounds until there are enough of them; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--condition", choices=["quiet", "neighbours", "as-is"], required=True)
    parser.add_argument("--pairs", type=int, default=60, help="rounds in all (default: %(default)s)")
    parser.add_argument("--effect", type=float, action="append", help="percent (default: 5 and 3)")
    parser.add_argument("--equals-only", action="store_true", help="no planted effects")
    parser.add_argument(
        "--variant",
        type=Variant.parse,
        action="append",
        help="plain, or slice_ms=100,seconds=2,cores=1,layout=fixed,means=signals,height=1080,gpu_ms=8,idle=ignored,"
        "scheduling=realtime; "
        "may repeat "
        "(default: plain, and slices of the default length)",
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of the default variants (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the record, one line of JSON for each pair")
    parser.add_argument("--seed", type=int, default=20261126, help="order of everything (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no round later than this")
    parser.add_argument("--path", default="cpu", help="conversion path, or floor (default: %(default)s)")
    options = parser.parse_args(arguments)
    variants = options.variant or [
        Variant(seconds=options.seconds),
        Variant(slice_ms=DEFAULT_SLICE_MS, seconds=options.seconds),
    ]
    end_s = time.monotonic() + 60 * options.minutes
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="capbench-slices-")))
        exports = {
            (seconds, height): _Export(_source(scratch, seconds, height), scratch, options.path)
            for seconds, height in {(variant.seconds, variant.height) for variant in variants}
        }
        # Where a variant has the right to real time, what runs beside this already does not lengthen the planted work.
        steady: Scheduling = max((variant.scheduling for variant in variants), key=get_args(Scheduling).index)
        alone_s = {kind: export.alone_s(steady) for kind, export in exports.items()}
        planting = GpuPlanting.made(scratch) if any(variant.gpu_ms for variant in variants) else None
        if options.condition == "neighbours":
            stack.enter_context(_neighbours(options.seed))
        effects = (0.0, *(percent / 100 for percent in options.effect or (5.0, 3.0) if not options.equals_only))
        begun = _rounds_in(options.out)
        for number in range(begun, options.pairs):
            if time.monotonic() > end_s:
                break
            rng = random.Random(f"{options.seed}/{number}")
            todo = [(variant, effect) for variant in variants for effect in effects]
            rng.shuffle(todo)
            for variant, effect in todo:
                kind = variant.seconds, variant.height
                with variant.applied():
                    if variant.gpu_ms and planting is not None:
                        export = replace(exports[kind], path=PATH)
                        plants = [planting.of_ms(variant.gpu_ms), planting.of_ms(variant.gpu_ms * (1 + effect))]
                    else:
                        export, plants = exports[kind], [{}, _slowdown(effect * alone_s[kind])]
                    line = _pair(export, variant, plants, f"{options.seed}/{number}/{effect:g}", rng)
                line |= {"effect": effect}
                line |= {"condition": options.condition, "round": number}
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            sys.stderr.write(f"round {number + 1} of {options.pairs}\n")
    return 0


def _slowdown(planted_s: float) -> Environment:
    """What plants so many CPU seconds."""
    return {VARIABLE: f"encode:{planted_s:.6f}s"} if planted_s else {}


def _pair(
    export: _Export, variant: Variant, plants: Sequence[Environment], seed: str, rng: random.Random
) -> dict[str, Any]:
    """One pair, base and new in random order, as a line of the record. `plants` are for base and new."""
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    load, began_s = os.getloadavg()[0] if hasattr(os, "getloadavg") else None, time.monotonic()
    base_first = rng.random() < 0.5
    in_order = list(plants) if base_first else list(reversed(plants))
    line: dict[str, Any] = {"variant": variant.name, "started_at": started_at, "load_1min": load}
    if variant.slice_ms is None:
        answers = [export(plant, None, variant.scheduling) for plant in in_order]
    else:
        cgroup_of = (lambda: None) if variant.means == "signals" else partial(make_cgroup, variant.scheduling)
        turns = [
            SliceTurn(
                export.scratch / f"stopped-{place}",
                valve=GpuValve(export.scratch / f"valve-{place}") if variant.idle == "waits" else None,
                cgroup_of=cgroup_of,
            )
            for place in range(2)
        ]
        jobs = [partial(export, plant, scheduling=variant.scheduling) for plant in in_order]
        with before_the_subject(variant.scheduling):
            answers = run_in_slices(jobs, turns, slice_rounds(f"{seed}/{variant.name}", 2, variant.slice_ms))
        if not base_first:
            turns.reverse()
        running_s = [turn.running_s() for turn in turns]
        line |= {
            "how": turns[0].how,
            "slices": [turn.slices for turn in turns],
            "idle_stops": [[turn.idle_stops, turn.stops_while_drawing] for turn in turns],
            "process_s": [round(time_s, 5) for time_s in running_s],
            "alone_share": [
                round(turn.alone_ns / 1e9 / time_s, 5) for turn, time_s in zip(turns, running_s, strict=True)
            ],
            "overlap_share": round(sum(turn.overlap_ns for turn in turns) / 1e9 / sum(running_s), 6),
        }
        for turn in turns:
            turn.close()
    if not base_first:
        answers.reverse()
    walls_s = [_wall_s(answer) for answer in answers]
    if variant.slice_ms is None:
        line["process_s"] = [round(answer.outcome.ending.wall_s or 0.0, 5) for answer in answers]
    line |= {
        "base_first": base_first,
        "wall_s": [round(wall_s, 5) for wall_s, _ in walls_s],
        "planted_s": round(walls_s[1][1], 5),
        "cpu_s": [
            round((answer.outcome.ending.user_s or 0) + (answer.outcome.ending.system_s or 0), 3) for answer in answers
        ],
        "took_s": round(time.monotonic() - began_s, 3),
    }
    return line


@dataclass(frozen=True, slots=True)
class _Export:
    """Exports one recording by one path."""

    source: Path
    scratch: Path
    path: str

    def alone_s(self, scheduling: Scheduling) -> float:
        """Shortest wall time of a few exports, in seconds; they also fill the caches of disk and file system."""
        return min(_wall_s(self({}, None, scheduling))[0] for _ in range(_ALONE_EXPORTS))

    def __call__(self, plant: Environment, turn: SliceTurn | None, scheduling: Scheduling = "normal") -> JobResult:
        """Export with what the variables plant."""
        output = self.scratch / f"{os.urandom(4).hex()}.mp4"
        is_floor = self.path == "floor"
        try:
            return ask_worker(
                "floor" if is_floor else "export",
                {
                    "source": str(self.source),
                    "output": str(output),
                    "options": {} if is_floor else {"path": self.path},
                    "trace": None,
                },
                scratch=self.scratch,
                timeout_s=_TIMEOUT_S,
                env=plant,
                turn=turn,
                scheduling=scheduling,
            )
        finally:
            output.unlink(missing_ok=True)


def _wall_s(answer: JobResult) -> tuple[float, float]:
    """Wall time of an export with what was planted, and the part that was planted, in seconds."""
    if answer.result is None:
        raise RuntimeError(f"an export failed: {answer.error}")
    found = [match for text in answer.result["warnings"] if (match := _PLANTED.match(text))]
    return answer.result["wall_s"], float(found[0][1]) if found else 0.0


def _source(scratch: Path, seconds: float, height: int) -> Path:
    answer = ask_worker(
        "prepare",
        {
            "recording": {"width": height * 16 // 9, "height": height, "fps": "30", "container": "mp4", "seed": 1},
            "duration_s": seconds,
            "options": {},
            "knows_scene": False,
        },
        scratch=scratch,
        timeout_s=_TIMEOUT_S,
    )
    if answer.result is None:
        raise RuntimeError(f"no recording: {answer.error}")
    return Path(answer.result["source"])


def _rounds_in(record: Path) -> int:
    """Rounds that a record holds; one that was interrupted keeps the pairs that it has."""
    if not record.exists():
        return 0
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    return max((line["round"] for line in lines), default=-1) + 1


@contextlib.contextmanager
def _neighbours(seed: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.neighbours", "--seed", str(seed)], stdin=subprocess.PIPE
    )
    try:
        time.sleep(_SETTLE_S)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
