"""What ever failed, once more; and that a number always makes the same input."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutate

CORPUS = Path(__file__).with_name("corpus")


@pytest.fixture(scope="module")
def replayed() -> dict[str, str]:
    """Name of what was kept to how it ended: all in one process, which loads what they need once."""
    folders = sorted(path for path in CORPUS.iterdir() if path.is_dir())
    # In a process of its own: the runner forks, which a test process with threads must not.
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.replay", *folders],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the fuzzer forks, which Windows cannot")
@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir() if path.is_dir()))
def test_what_failed_once_no_longer_does(name: str, replayed: dict[str, str]) -> None:
    assert replayed[name].startswith("well (exit code "), replayed[name]


def test_corpus_is_small_and_says_how_it_is_run() -> None:
    for folder in (path for path in CORPUS.iterdir() if path.is_dir()):
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        assert about["arguments"]
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 200_000


def test_a_state_of_chance_makes_the_same_input() -> None:
    data = bytes(range(256)) * 20

    twice = [[mutate(data, random.Random(f"3:{n}"), is_text=n % 2 == 0) for n in range(60)] for _ in range(2)]

    assert twice[0] == twice[1]
    assert sum(mutated != data for mutated in twice[0]) > 50


def test_a_long_line_is_not_repeated_into_gigabytes() -> None:
    """What makes the inputs has no limit of memory of its own, as what reads them has."""
    data = b"x" * 1_000_000
    tracemalloc.start()
    try:
        lengths = [len(mutate(data, random.Random(f"line:{n}"), is_text=True)) for n in range(100)]
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert max(lengths) == 2_000_000
    assert most_bytes < 100e6
