"""Which input has which number, and the process that hands its share of them to capbench."""

from __future__ import annotations

import hashlib
import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.fuzz.bundle_members import packed
from tests.fuzz.doors import load_verbs
from tests.fuzz.limited_run import Outcome, run_limited
from tests.fuzz.mutations import mutate
from tests.fuzz.seed_inputs import make_seed_inputs
from tests.fuzz.seeds.seed_input import SeedInput

__all__ = ["WEIGHTS", "Campaign", "generator_digest", "make_input", "run_share", "run_unmutated"]

WEIGHTS: Final = {
    "media": 24,
    "validation": 6,
    "composite": 3,
    "playlist": 10,
    "matrix": 12,
    "scene": 9,
    "look": 3,
    "gate": 8,
    "baseline": 4,
    "result": 7,
    "history": 3,
    "bundle": 8,
    "message": 3,
}
"""Inputs of a kind in a hundred: a composited export takes as long as fifty text files."""
_TEXTS: Final = (".toml", ".json", ".jsonl", ".m3u8", ".txt")
"""Suffixes of files that are mutated as text, mostly."""


def make_input(
    seeds: Sequence[SeedInput], seed: int, number: int, kind: str | None
) -> tuple[SeedInput, dict[str, bytes]]:
    """The input of that number."""
    choose = random.Random(f"{seed}:{number}:{kind or ''}")
    wanted = kind or choose.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    chosen = choose.choice([each for each in seeds if each.kind == wanted])
    name = choose.choice(chosen.mutable)
    mutated = mutate(chosen.files[name], choose, is_text=name.endswith(_TEXTS))
    return chosen, _packed(chosen, {**chosen.files, name: mutated}, name)


def unmutated(seed: SeedInput) -> dict[str, bytes]:
    """The files of a seed as they are."""
    return _packed(seed, seed.files, "")


def _packed(seed: SeedInput, files: dict[str, bytes], mutated: str) -> dict[str, bytes]:
    for bundle in seed.bundles:
        files = packed(files, bundle, mutated)
    return files


def generator_digest() -> str:
    """What inputs follow from besides their numbers: a journal of others says nothing about these."""
    folder = Path(__file__).parent
    names = ["mutations.py", "media_mutations.py", "campaign.py", "bundle_members.py"]
    names += ["seed_inputs.py", "limited_run.py", "doors.py"]
    files = [*(folder / name for name in names), *sorted((folder / "seeds").glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What was asked for."""

    seed: int
    """Of all inputs."""
    numbers: tuple[int, ...]
    """Of the inputs that are run."""
    jobs: int
    """Processes that share them."""
    kind: str | None
    """The only kind, or None for all."""
    keep: Path | None
    """Folder for what failed."""
    known: frozenset[int]
    """Numbers that were run before."""
    with_seeds: bool = True
    """Whether each seed is run as it is, before all others: number -1 is the first of them."""


def run_share(asked: Campaign, first: int, answers: Connection) -> None:
    """Every `jobs`-th number from the one at `first` on. Everything is imported before the first fork."""
    load_verbs()
    warnings.simplefilter("ignore")  # of the seeds' own making
    seeds = make_seed_inputs()
    chosen = [
        (-1 - index, seed)
        for index, seed in enumerate(seeds)
        if asked.with_seeds and -1 - index not in asked.known and asked.kind in (None, seed.kind)
    ]
    for number, seed in chosen[first :: asked.jobs]:
        _answer(asked, answers, (number, seed, unmutated(seed)), run_unmutated(seed))
    for number in asked.numbers[first :: asked.jobs]:
        seed, files = make_input(seeds, asked.seed, number, asked.kind)
        _answer(asked, answers, (number, seed, files), run_limited(seed, files))
    answers.send(None)


def run_unmutated(seed: SeedInput) -> Outcome:
    """Run a seed as it is: another end than the one that it states is a fault, for then its mutations test nothing."""
    outcome = run_limited(seed, unmutated(seed))
    if outcome.code == seed.ends[0] or outcome.faults:
        return outcome
    said = outcome.said.strip().splitlines()[-1:]
    return replace(outcome, faults=(f"unmutated: exit code {outcome.code}, not {seed.ends[0]}: {' '.join(said)}",))


def _answer(
    asked: Campaign, answers: Connection, made: tuple[int, SeedInput, dict[str, bytes]], outcome: Outcome
) -> None:
    number, seed, files = made
    answers.send((number, seed.name, seed.kind, outcome))
    if outcome.faults and asked.keep:
        _keep(asked.keep / f"{asked.seed}-{number}-{seed.name}", seed, files, outcome)


def _keep(folder: Path, seed: SeedInput, files: dict[str, bytes], outcome: Outcome) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    about = {
        "arguments": seed.arguments,
        "ends": seed.ends,
        "may_leave": seed.may_leave,
        "may_change": seed.may_change,
        "export_of": seed.export_of,
        "outcome": asdict(outcome),
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
