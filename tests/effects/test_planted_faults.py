"""A few planted faults and a right look through the whole measurement, and the study's own parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.quality.effects.inspect_output import measure_effects
from capbench.results.appearance.effect_finding import EffectFinding, EffectOutcome, MeasuredParameter
from capbench.results.appearance.expected_look import ExpectedLook
from tests.effects.draw_files import camera_folder
from tests.effects.kept_results import MeasuredLook
from tests.effects.oracle_drawing import draw_look
from tests.effects.planted_faults import FAULTS, planted
from tests.effects.seeded_looks import LOOK_FRAMES, SeededLook, asked_look, scene_of, seeded_look
from tests.effects.sources import screen_source
from tests.effects.study import error_table, fault_table, folder_tables, outcome_table

_OWN = ("cursor", "camera", "motion_blur")
_SEED = 7019


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("looks")


def _found(asked: SeededLook, drawn: SeededLook, folder: Path, name: str) -> dict[str, EffectFinding]:
    source = screen_source(640, 360, LOOK_FRAMES, drawn.source_seed, folder / "media")
    path = folder / f"{name}.mp4"
    draw_look(scene_of(drawn), source, (640, 360), path, crf=23)
    look = ExpectedLook.model_validate(asked_look(asked))
    return {finding.effect: finding for finding in measure_effects(source.path, path, look).findings}


def _plant(folder: Path, *names: str, seed: int = _SEED) -> tuple[SeededLook, SeededLook]:
    """What is asked, and what is drawn with all those faults in it."""
    cameras = camera_folder(folder)
    by_name = {fault.name: fault for fault in FAULTS}
    first = planted(by_name[names[0]], seed, cameras)
    drawn = first.drawn
    for name in names[1:]:
        drawn = by_name[name].plant(drawn, cameras).drawn
    return first.asked, drawn


def _failed(found: dict[str, EffectFinding]) -> set[str]:
    return {name for name, finding in found.items() if finding.outcome == "fail"}


def test_a_right_look_passes(folder: Path) -> None:
    asked, _ = _plant(folder, "cursor missing")

    found = _found(asked, asked, folder, "right")

    assert {name: found[name].outcome for name in _OWN} == dict.fromkeys(_OWN, "pass")


def test_a_late_cursor_and_a_frozen_camera_are_flagged(folder: Path) -> None:
    found = _found(*_plant(folder, "cursor late by 3 frames", "camera frozen"), folder, "late")

    assert found["cursor"].outcome == "fail"
    lag = next(each for each in found["cursor"].parameters if each.name == "lag_frames")
    assert lag.measured == pytest.approx(3, abs=0.3)
    assert found["camera"].outcome == "fail"
    assert "frozen" in found["camera"].message
    assert _failed(found) == {"cursor", "camera"}


def test_what_is_missing_is_flagged(folder: Path) -> None:
    found = _found(*_plant(folder, "cursor missing", "camera missing"), folder, "missing")

    assert (found["cursor"].outcome, found["cursor"].found) == ("fail", False)
    assert (found["camera"].outcome, found["camera"].found) == ("fail", False)
    assert _failed(found) == {"cursor", "camera"}


def test_what_was_not_asked_for_is_flagged(folder: Path) -> None:
    # Half as high again as the usual one, in a zoom, and beside it a camera and a caption that were asked for.
    asked, drawn = _plant(folder, "cursor not asked", seed=7024)

    found = _found(asked, drawn, folder, "unasked")

    assert found["cursor"].found
    assert _failed(found) == {"cursor"}


@pytest.mark.parametrize("seed", range(40))
def test_what_is_asked_of_a_seed_can_be_asked(seed: int) -> None:
    look = seeded_look(seed, Path("camera.mp4"))

    asked = ExpectedLook.model_validate(asked_look(look))

    assert look == seeded_look(seed, Path("camera.mp4"))
    assert bool(asked.cursor) == ("cursor" in look.scene)
    assert bool(asked.motion_blur) == (look.shutter > 0)


def test_there_are_more_than_thirty_kinds_of_fault_and_each_has_its_check() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert {fault.effects[0] for fault in FAULTS} == {
        *_OWN,
        "zoom",
        "corner_radius",
        "shadow",
        "background",
        "padding",
        "captions",
    }


def _look(fault: str, *, lag: float, outcome: EffectOutcome = "pass") -> MeasuredLook:
    finding = EffectFinding(
        effect="cursor",
        outcome=outcome,
        message="",
        asked=True,
        found=True,
        parameters=(MeasuredParameter(name="lag_frames", asked=0.0, measured=lag, tolerance=1.0),),
    )
    return MeasuredLook("x", fault, "capbench", 28, (finding,))


def test_tables_count_what_they_are_given() -> None:
    looks = [_look("", lag=0.1), _look("", lag=-0.3), _look("", lag=2.0, outcome="fail")]
    faults = [_look("cursor missing", lag=0, outcome="fail"), _look("cursor missing", lag=0)]

    assert error_table(looks)[2].startswith("| cursor | lag_frames | 3 | 0.3 | 1.83 | 2 |")
    assert outcome_table(looks)[2].startswith("| cursor | 3 | 1 (0.8% to 90.6%) | 0 | 0 | 0 |")
    assert fault_table(faults)[2].startswith("| cursor missing | 2 | 1 | cursor | 0 | 0 |")


def test_looks_of_ours_and_of_others_are_told_apart_and_faults_from_both() -> None:
    theirs = MeasuredLook("theirs", "", "ffmpeg 5.1", 18, _look("", lag=3.0, outcome="fail").findings)
    lines = folder_tables("Fresh", [_look("", lag=0.1), theirs, _look("cursor missing", lag=0, outcome="fail")])

    assert "Fresh: 1 right looks drawn by the oracle" in lines
    assert "Fresh: 1 right looks drawn by ffmpeg 5.1 (1)" in lines
    assert "* ffmpeg 5.1: theirs cursor" in lines
    assert lines[-1].startswith("| all | 1 | 1 (")
