"""A campaign that was interrupted goes on, and counts what was done before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.journal import Entry, Journal, hollow_kinds, summary


def _entry(number: int, *faults: str, code: int | None = 0) -> Entry:
    return Entry(number, "gate", "gate", faults, code, code == 0, 0.5 + number, 10**8)


def test_inputs_of_earlier_calls_are_done(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path, 1, None)
    first.add(_entry(4))
    first.add(_entry(5, "hang: more than 60 s"))

    again = Journal(path, 1, None)

    assert again.done == {4: _entry(4), 5: _entry(5, "hang: more than 60 s")}
    assert Journal(path, 2, None).done == {}
    assert Journal(path, 1, "gate").done == {}
    assert Journal(path, 1, None, inputs="made otherwise").done == {}


def test_an_input_that_was_being_noted_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, 1, None).add(_entry(4))
    path.write_text(path.read_text() + path.read_text()[:-20])

    assert list(Journal(path, 1, None).done) == [4]


def test_a_summary_counts_faults_and_ends_by_kind() -> None:
    entries = [_entry(1), _entry(2, "hang: long", "memory: 3 GB", code=None), _entry(3, code=2), _entry(-1)]

    lines = list(summary(entries))

    assert lines[0] == "3 inputs done, and 1 seeds as they are"
    assert "gate: 3, 33% went the whole way" in lines[1]
    assert lines[1].endswith("exit codes none: 1, 0: 1, 2: 1")
    assert "3.5 s (3 gate)" in lines[2]
    assert lines[3] == "1 failed: {'hang': 1, 'memory': 1}"
    assert list(summary([])) == ["no input was run"]


@pytest.mark.parametrize(
    ("reached", "inputs", "hollow"), [(0, 100, True), (4, 100, True), (6, 100, False), (0, 50, False)]
)
def test_a_kind_that_is_refused_nearly_always_is_hollow(reached: int, inputs: int, hollow: bool) -> None:
    entries = [_entry(number, code=0 if number < reached else 2) for number in range(inputs)]

    assert hollow_kinds([*entries, _entry(-1)]) == (("gate",) if hollow else ())
    assert any(line.startswith("hollow: of gate") for line in summary(entries)) == hollow
