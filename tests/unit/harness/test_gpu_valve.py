"""The valve between a process that draws and whoever stops it: both ends on one file, no sleeping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from capbench.harness.process.gpu_valve import VARIABLE, GpuValve, WorkerValve, valve_of_environment


def _ends(tmp_path: Path, sleep: Callable[[float], None]) -> tuple[GpuValve, WorkerValve]:
    outer = GpuValve(tmp_path / "valve")
    return outer, WorkerValve(outer.path, sleep=sleep)


def test_a_process_answers_and_submits_nothing_until_the_valve_opens(tmp_path: Path) -> None:
    answered: list[bool] = []

    def sleep(_seconds: float) -> None:
        answered.append(outer.is_idle)
        if len(answered) == 3:
            outer.open()

    outer, inner = _ends(tmp_path, sleep)
    inner.begin(is_software=False)
    assert outer.is_drawing
    assert not inner.is_shut()

    outer.shut()
    assert inner.is_shut()
    assert not outer.is_idle
    inner.wait_idle()

    assert answered == [True, True, True]
    assert not inner.is_shut()


def test_an_answer_that_comes_late_is_not_taken_for_one_to_the_next(tmp_path: Path) -> None:
    """The process was stopped before it had answered; when it goes on, the valve is opened and shut again."""
    idle: list[bool] = []

    def sleep(_seconds: float) -> None:
        idle.append(outer.is_idle)
        if len(idle) == 1:
            outer.open()
            outer.shut()
            idle.append(outer.is_idle)
        else:
            outer.open()

    outer, inner = _ends(tmp_path, sleep)
    inner.begin(is_software=False)

    outer.shut()
    inner.wait_idle()

    # to the first; not yet to the second; to the second
    assert idle == [True, False, True]


def test_closings_are_numbered_over_again(tmp_path: Path) -> None:
    outer, inner = _ends(tmp_path, lambda _seconds: outer.open())
    inner.begin(is_software=False)

    for _ in range(600):
        outer.shut()
        assert not outer.is_idle
        inner.wait_idle()
        assert outer.is_idle


def test_a_software_adapter_is_stopped_with_its_process(tmp_path: Path) -> None:
    outer, inner = _ends(tmp_path, lambda _seconds: pytest.fail("held"))

    inner.begin(is_software=True)
    outer.shut()

    assert not outer.is_drawing
    assert not inner.is_shut()
    inner.end()
    assert not outer.was_used


def test_a_process_that_draws_no_more_is_idle(tmp_path: Path) -> None:
    outer, inner = _ends(tmp_path, lambda _seconds: pytest.fail("held"))
    inner.begin(is_software=False)
    outer.shut()

    inner.end()

    assert outer.is_idle
    assert not outer.is_drawing
    assert outer.was_used


def test_a_process_finds_its_valve_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert valve_of_environment() is None

    outer = GpuValve(tmp_path / "valve")
    monkeypatch.setenv(VARIABLE, str(outer.path))
    inner = valve_of_environment()

    assert inner is not None
    inner.begin(is_software=False)
    assert outer.is_drawing
    outer.close()
    assert not outer.path.exists()
