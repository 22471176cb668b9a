"""Kill a matrix with SIGKILL at random moments, resume it, and count what was lost.

`python -m tests.bench.kill_resume --kills 200 --seed 1`. The matrix keeps its outputs. After each kill every run that
was recorded before must still be recorded, with the same start and its whole output; when a matrix is complete its
folder must hold each run once and no file besides. Every second matrix validates its outputs, which writes pictures
of the worst frames that a kill can leave too. Exits with 1 when anything was lost, doubled or left over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from capbench.recordings import RecordingSpec, make_recording

__all__ = ["Tally", "kill_and_resume"]

_BLOCKS = 3
_SUBJECTS = ("one", "two")
_MATRIX = """
[defaults]
blocks = {blocks}
settle_s = 0
warmup = true
drift_control = false
timeout_s = 60

[[subject]]
name = "one"
command = ["cp", "{{source}}", "{{output}}"]

[[subject]]
name = "two"
command = ["sh", "-c", 'head -c 3000 "$0" > "$1"; touch "$1.tmp"; cp "$0" "$1"', "{{source}}", "{{output}}"]

[[case]]
name = "clip"
source = '{source}'
subjects = ["one", "two"]
"""
_LATEST_KILL_S = 6.0
"""A little longer than a process of the matrix takes from its start to the page, on two busy cores."""
_END_TIMEOUT_S = 300.0


@dataclass
class Tally:
    """What was counted."""

    kills: int = 0
    """Processes that were killed."""
    matrices: int = 0
    """Matrices that were completed."""
    runs: int = 0
    """Recorded runs of those matrices."""
    lost_runs: list[str] = field(default_factory=list)
    """Runs that were recorded before a kill and not after it, or that a complete matrix does not have."""
    doubled_runs: list[str] = field(default_factory=list)
    """Recorded runs that were made again, or that are recorded besides the plan."""
    lost_outputs: list[str] = field(default_factory=list)
    """Recorded runs whose output was absent or not whole at any look."""
    left_over: list[str] = field(default_factory=list)
    """Files of a complete folder that belong to nothing."""
    unwatched: list[str] = field(default_factory=list)
    """Blocks that were killed between their last run and the record of what disturbed them: nobody knows that now."""
    failures: list[str] = field(default_factory=list)
    """Last lines of processes that ended by themselves with another code than 0."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, left over or refused."""
        return not any((self.lost_runs, self.doubled_runs, self.lost_outputs, self.left_over, self.failures))

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.matrices} matrices, {self.runs} runs: {len(self.lost_runs)} runs lost, "
            f"{len(self.doubled_runs)} doubled, {len(self.lost_outputs)} outputs lost, "
            f"{len(self.left_over)} files left over, {len(self.failures)} resumes failed; "
            f"{len(self.unwatched)} blocks without a record of disturbances"
        )


def kill_and_resume(
    kills: int,
    seed: int,
    folder: Path,
    *,
    validates: bool | None = None,
    program: Sequence[str] = ("-m", "capbench"),
) -> Tally:
    """Make matrices in `folder`, killing and resuming their processes until `kills` were killed, then end the last one.

    `validates` None lets every second matrix validate. `program` is what the interpreter is given to be capbench.
    """
    chance, tally = random.Random(seed), Tally()
    source = make_recording(RecordingSpec("tiny", 160, 90, 30, 0.2))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    matrix = folder / "kill.toml"
    matrix.write_text(_MATRIX.format(source=source, blocks=_BLOCKS))
    while tally.kills < kills:
        out = folder / f"out-{tally.matrices:03d}"
        checks = tally.matrices % 2 == 1 if validates is None else validates
        known: dict[str, str] = {}
        ended = False
        while not ended:
            delay_s = chance.uniform(0, _LATEST_KILL_S) if tally.kills < kills else None
            ended = _run_once(matrix, out, delay_s, tally, validates=checks, program=program)
            known = _look(out, known, digest, tally)
        _check_complete(out, known, tally, validates=checks)
        tally.matrices += 1
    return tally


def _run_once(
    matrix: Path, out: Path, delay_s: float | None, tally: Tally, *, validates: bool, program: Sequence[str]
) -> bool:
    """Start or resume the matrix, kill it after `delay_s`; returns whether it ended before."""
    command = [sys.executable, *program, "run", str(matrix), "--out", str(out), "--keep-outputs", "--quiet"]
    command += ["--resume"] if (out / "matrix.json").exists() else []
    command += [] if validates else ["--no-validate"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, said = process.communicate(timeout=_END_TIMEOUT_S if delay_s is None else delay_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            tally.kills += 1
            return False
    if process.returncode != 0:
        tally.failures.append(said.decode(errors="replace").strip().splitlines()[-1])
    return True


def _look(out: Path, known: dict[str, str], digest: str, tally: Tally) -> dict[str, str]:
    """Compare what is recorded now with what was; returns the start of each recorded run by its file's stem."""
    found: dict[str, str] = {}
    for file in (out / "runs").glob("[!.]*.json"):
        run = json.loads(file.read_bytes())
        found[file.stem] = run["started_at"]
        output = out / "outputs" / f"{file.stem}.mp4"
        if run["error"] is not None:
            tally.failures.append(run["error"])
        elif not output.is_file() or hashlib.sha256(output.read_bytes()).hexdigest() != digest:
            tally.lost_outputs.append(f"{out.name}/{file.stem}")
    tally.lost_runs += [f"{out.name}/{stem}" for stem in known if stem not in found]
    tally.doubled_runs += [f"{out.name}/{stem}" for stem in known if found.get(stem, known[stem]) != known[stem]]
    return found


def _check_complete(out: Path, found: dict[str, str], tally: Tally, *, validates: bool) -> None:
    lasts = ["warmup", *(f"b{block:03d}" for block in range(_BLOCKS))]
    wanted = {f"clip--{subject}--{last}" for subject in _SUBJECTS for last in lasts}
    tally.runs += len(found)
    tally.lost_runs += sorted(wanted - set(found))
    tally.doubled_runs += sorted(set(found) - wanted)
    allowed = {"matrix.json", "environment.json", ".lock", "index.html"}
    allowed |= {f"runs/{stem}.json" for stem in wanted} | {f"outputs/{stem}.mp4" for stem in wanted}
    blocks = {f"blocks/clip--b{block:03d}.json" for block in range(_BLOCKS)}
    named = {
        name
        for file in (out / "runs").glob("[!.]*.json")
        for pictures in ("worst_frames", "saved_frames")
        for frame in (json.loads(file.read_bytes())["validation"] or {}).get(pictures, ())
        for key, name in frame.items()
        if key.endswith("_png")
    }
    if named and not validates:
        tally.left_over.append(f"{out.name}: pictures of frames without a validation")
    logs = {f"runs/{stem}.log" for stem in wanted}  # what a command wrote, beside its record
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    tally.left_over += [f"{out.name}/{name}" for name in sorted(there - allowed - blocks - named - logs)]
    tally.lost_outputs += [f"{out.name}/{name}" for name in sorted((allowed | named) - there)]
    tally.unwatched += [f"{out.name}/{name}" for name in sorted(blocks - there)]


def main() -> int:
    """Print the counts and what is behind them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="capbench-kills-") as folder:
        tally = kill_and_resume(arguments.kills, arguments.seed, Path(folder))
    lines = [f"{tally}; {time.monotonic() - begun_s:.0f} s"]
    for name in ("lost_runs", "doubled_runs", "lost_outputs", "left_over", "failures", "unwatched"):
        lines += [f"{name}: {line}" for line in getattr(tally, name)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
