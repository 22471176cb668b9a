"""What the campaign starts from goes the whole way, and so does some of what it makes of it: otherwise it is hollow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fuzz.campaign import WEIGHTS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the fuzzer forks, which Windows cannot"),
    pytest.mark.timeout(300),  # a minute of CPU time in two processes, beside other tests
]

_MOST: Final = 25
"""Mutated inputs of each kind, until one goes the whole way. Of bundles, the kind with the fewest, a sixth does."""
_SHARES: Final = 2
_ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ends() -> list[dict[str, Any]]:
    """How each input of the sample ended. In a process of its own, which forks: one with threads must not."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.sample", str(_MOST), str(_SHARES)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=_ROOT,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def has_adapter(ends: list[dict[str, Any]]) -> bool:
    """Whether exports can be composited here; where `CAPBENCH_REQUIRE_GPU=1` promises it, they have to be."""
    needing = [end for end in ends if end["needs_adapter"] and not end["mutated"]]
    return os.environ.get("CAPBENCH_REQUIRE_GPU") == "1" or any(end["code"] != 4 for end in needing)


def test_every_seed_goes_the_whole_way_as_it_is(ends: list[dict[str, Any]], has_adapter: bool) -> None:
    seeds = [end for end in ends if not end["mutated"] and (has_adapter or not end["needs_adapter"])]

    assert {end["kind"] for end in seeds} == set(WEIGHTS)
    assert not [(end["name"], end["faults"]) for end in seeds if end["faults"]]


def test_some_mutated_inputs_of_each_kind_go_the_whole_way(ends: list[dict[str, Any]], has_adapter: bool) -> None:
    mutated = [end for end in ends if end["mutated"] and (has_adapter or not end["needs_adapter"])]
    reached = Counter(end["kind"] for end in mutated if end["reached"])
    kinds = {end["kind"] for end in mutated}

    assert kinds >= set(WEIGHTS) - {"composite"}
    assert not [kind for kind in kinds if not reached[kind]]
    assert not [(end["name"], end["faults"]) for end in mutated if end["faults"]]
