"""A campaign that was interrupted goes on, and counts what was done before."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.journal import Entry, Journal, summary


def _entry(number: int, *faults: str) -> Entry:
    return Entry(number, "gate", "gate", faults, 0, 0.5 + number, 10**8)


def test_inputs_of_earlier_calls_are_done(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path, 1, None)
    first.add(_entry(4))
    first.add(_entry(5, "hang: more than 60 s"))

    again = Journal(path, 1, None)

    assert again.done == {4: _entry(4), 5: _entry(5, "hang: more than 60 s")}
    assert Journal(path, 2, None).done == {}
    assert Journal(path, 1, "gate").done == {}


def test_an_input_that_was_being_noted_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, 1, None).add(_entry(4))
    path.write_text(path.read_text() + path.read_text()[:-20])

    assert list(Journal(path, 1, None).done) == [4]


def test_a_summary_counts_faults() -> None:
    lines = list(summary([_entry(1), _entry(2, "hang: long", "memory: 3 GB"), _entry(3)]))

    assert lines[0] == "3 inputs done: {'gate': 3}"
    assert "3.5 s (3 gate)" in lines[1]
    assert lines[2] == "1 failed: {'hang': 1, 'memory': 1}"
    assert list(summary([])) == ["no input was run"]
