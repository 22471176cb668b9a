"""A campaign whose workers die says so at once, and what they answered before counts."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the fuzzer forks and limits, which Windows cannot")

from tests.fuzz.limited_run import Outcome
from tests.fuzz.workers import SILENCE_S, Answer, LostWorkerError, answers_of


def _answer(number: int) -> Answer:
    return number, "planted", "scene", Outcome((), 0, True, 0.1, 10**8, "")


def _done(first: int, answers: Connection) -> None:
    answers.send(_answer(first))
    answers.send(_answer(first + 2))
    answers.send(None)


def _dies_after_an_answer(first: int, answers: Connection) -> None:
    if first == 0:
        time.sleep(2 * SILENCE_S)  # until it is ended
    answers.send(_answer(first))
    os._exit(7)


def test_every_answer_of_all_workers_arrives() -> None:
    assert sorted(number for number, *_ in answers_of(_done, 2)) == [0, 1, 2, 3]


def test_a_worker_that_dies_is_said_at_once_and_the_others_are_ended() -> None:
    """An exception while seeds were made was said two minutes later."""
    others = set(multiprocessing.active_children())
    answers = answers_of(_dies_after_an_answer, 2)
    start = time.monotonic()

    assert next(answers)[0] == 1
    with pytest.raises(LostWorkerError, match="exit code 7"):
        next(answers)

    assert time.monotonic() - start < SILENCE_S
    assert not set(multiprocessing.active_children()) - others


def test_a_campaign_that_lost_a_worker_fails_and_keeps_what_was_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.fuzz import __main__ as command  # not above: workers import this module, and need nothing of it

    def lost(*_: object) -> Iterator[Answer]:
        yield _answer(0)
        raise LostWorkerError("a worker is lost")

    journal = tmp_path / "journal"
    monkeypatch.setattr(command, "answers_of", lost)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--inputs", "1", "--journal", str(journal)])

    assert command.main() == 1
    assert "a worker is lost" in capsys.readouterr().out
    assert [json.loads(line)["number"] for line in journal.read_text(encoding="utf-8").splitlines()] == [0]
