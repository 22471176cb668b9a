"""Names that do not exist: which one was meant."""

from __future__ import annotations

import time

import pytest

from capbench.gate.gate_file import GateFile
from capbench.harness.matrix.toml_file import MatrixFile
from capbench.pipeline.scene.scene_schema import Scene
from capbench.unknown_names import did_you_mean, unknown_key


@pytest.mark.parametrize(
    ("model", "location", "meant"),
    [
        (MatrixFile, ("case", 0, "scenne"), "did you mean 'scene'?"),
        (MatrixFile, ("case", 0, "Blocks"), "did you mean 'blocks'?"),
        (MatrixFile, ("defaults", "timeout"), "did you mean 'timeout_s'?"),
        (MatrixFile, ("subject", 0, "comand"), "did you mean 'command'?"),
        (MatrixFile, ("subjects",), "did you mean 'subject'?"),
        (MatrixFile, ("cases",), "did you mean 'case'?"),
        (MatrixFile, ("case", 0, "command"), "`command` is a key of [[subject]]"),
        (MatrixFile, ("subject", 3, "blocks"), "`blocks` is a key of [defaults], [[case]], [[corpus]], [[override]]"),
        (MatrixFile, ("case", 0, "recording", "function-after[<lambda>(), _RecordingTable]", "hight"), "'height'"),
        (MatrixFile, ("case", 0, "thresholds", "wall_s", "largest"), "available: min, max"),
        (GateFile, ("rule", 0, "margn"), "did you mean 'margin'?"),
        (GateFile, ("gate", "familyerror"), "did you mean 'family_error'?"),
        (Scene, ("display", "pading"), "did you mean 'padding'?"),
    ],
)
def test_an_unknown_key_names_the_one_that_was_meant(model: type, location: tuple[str | int, ...], meant: str) -> None:
    message = unknown_key(model, location)

    assert message.startswith("unknown key; ")
    assert meant in message


def test_nothing_is_proposed_where_nothing_is_near() -> None:
    assert unknown_key(MatrixFile, ("case", 0, "zzzzzz")) == "unknown key"
    assert not did_you_mean("foo", ["fps", "scene"])


def test_a_name_as_long_as_a_file_takes_no_time() -> None:
    begun_s = time.monotonic()
    did_you_mean("x" * 1_000_000, [f"case-{number}-{'x' * 60}" for number in range(20_000)])

    # 2000 comparisons of 80 characters take a fifth of a second; 20,000 of a megabyte would take hours.
    assert time.monotonic() - begun_s < 20
