"""Which input has which number, and the process that hands its share of them to capbench."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.fuzz.limited_run import Outcome, load_verbs, run_limited
from tests.fuzz.mutations import mutate
from tests.fuzz.seed_inputs import SeedInput, make_seed_inputs

__all__ = ["WEIGHTS", "Campaign", "make_input", "run_share"]

WEIGHTS: Final = {"media": 30, "playlist": 14, "matrix": 14, "scene": 12, "gate": 10, "baseline": 8, "result": 12}
"""Inputs of a kind in a hundred: an export takes as long as twenty text files."""


def make_input(
    seeds: Sequence[SeedInput], seed: int, number: int, kind: str | None
) -> tuple[SeedInput, dict[str, bytes]]:
    """The input of that number."""
    choose = random.Random(f"{seed}:{number}:{kind or ''}")
    wanted = kind or choose.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    chosen = choose.choice([each for each in seeds if each.kind == wanted])
    name = choose.choice(chosen.mutable)
    is_text = name.endswith((".toml", ".json", ".m3u8"))
    return chosen, {**chosen.files, name: mutate(chosen.files[name], choose, is_text=is_text)}


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


def run_share(asked: Campaign, first: int, answers: Any) -> None:
    """Every `jobs`-th number from the one at `first` on. Everything is imported before the first fork."""
    load_verbs()
    warnings.simplefilter("ignore")  # of the seeds' own making
    seeds = make_seed_inputs()
    for number in asked.numbers[first :: asked.jobs]:
        chosen, files = make_input(seeds, asked.seed, number, asked.kind)
        outcome = run_limited(chosen, files)
        answers.put((number, chosen.name, chosen.kind, outcome))
        if outcome.faults and asked.keep:
            _keep(asked.keep / f"{asked.seed}-{number}-{chosen.name}", chosen, files, outcome)
    answers.put(None)


def _keep(folder: Path, seed: SeedInput, files: dict[str, bytes], outcome: Outcome) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    about = {
        "arguments": seed.arguments,
        "may_leave": seed.may_leave,
        "export_of": seed.export_of,
        "outcome": asdict(outcome),
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
