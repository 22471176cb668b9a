"""Outputs in a look of their own, whole: files through `validate`, the verb, and runs of a matrix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.harness.run.start import RunOptions, run
from capbench.pipeline.scene import Scene
from capbench.quality.effects.asked_path import asked_look
from capbench.quality.expectation import Expectation
from capbench.quality.reading.planes import Planes
from capbench.quality.validate import validate
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import CheckStatus, ValidationReport
from capbench.results.appearance.expected_look import ExpectedBackground
from capbench.results.folder import read_folder
from tests.effect_clips import composed, encoded, recorded

_SPEC = RecordingSpec("effects", 480, 270, 30, 1.2)
_SIZE = (_SPEC.width, _SPEC.height)
_SCENE = Scene.model_validate(
    {
        "background": {"gradient": ["#4158d0", "#c850c0"], "angle_degrees": 135},
        "display": {"padding": 0.1, "rounding_px": 60, "shadow": {"opacity": 0.5, "blur_px": 50, "offset_px": [0, 12]}},
        "zoom": [
            {
                "start_s": 0.3,
                "end_s": 1.1,
                "amount": 1.6,
                "centre": [0.4, 0.4],
                "ease_in_s": 0.2,
                "ease_out_s": 0.2,
            }
        ],
    }
)


@pytest.fixture(scope="module")
def recording() -> Path:
    """Little more than a second of a synthetic recording, with sound."""
    return make_recording(_SPEC)


@pytest.fixture(scope="module")
def output(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a right exporter makes of it, at an ordinary quality."""
    frames = (composed(_SCENE, recorded(_SPEC, n), _SIZE, n / 30) for n in range(_SPEC.frames))
    return encoded(tmp_path_factory.mktemp("effects") / "output.mp4", frames, sound_of=recording, crf=23)


def _report(recording: Path, output: Path, **changes: Any) -> ValidationReport:
    look = asked_look(_SCENE).model_copy(update=changes)
    return validate(recording, output, expected=Expectation(look=look), with_vmaf=False)


def _status(report: ValidationReport) -> dict[str, CheckStatus]:
    return {check.name: check.status for check in report.checks}


def test_a_right_output_passes_and_its_marks_are_read_where_they_lie(recording: Path, output: Path) -> None:
    report = _report(recording, output)
    status = _status(report)

    assert report.failures == ()
    for name in ("recording", "padding", "zoom", "corner_radius", "shadow", "background", "captions"):
        assert status[f"effects.{name}"] is CheckStatus.PASS
    # By the burnt-in number, the flashes and the patches, none of which lies where the recording has it.
    assert status["frames.readable"] is CheckStatus.PASS
    assert status["audio.offset"] is CheckStatus.PASS
    assert status["colour.patches"] is CheckStatus.PASS
    assert status["picture.quality"] is CheckStatus.NOT_APPLICABLE
    assert {finding.effect for finding in report.effects} >= {"padding", "zoom", "shadow"}
    assert ValidationReport.model_validate_json(report.model_dump_json()) == report


def test_every_effect_that_is_not_the_asked_one_fails(recording: Path, output: Path) -> None:
    later = asked_look(_SCENE).zoom
    assert not isinstance(later, str)
    zoom = later[0].model_copy(update={"start_s": 0.2})
    plain = ExpectedBackground(kind="colour")
    report = _report(recording, output, padding=0.14, rounding_px=120.0, shadow=False, background=plain, zoom=(zoom,))

    failed = {name for name, status in _status(report).items() if status is CheckStatus.FAIL}
    assert failed == {f"effects.{name}" for name in ("padding", "zoom", "corner_radius", "shadow", "background")}


def test_an_output_without_the_recording_says_so_once(recording: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)

    def noise() -> Iterator[Planes]:
        for _ in range(_SPEC.frames):
            blocks = [rng.integers(40, 200, (side[1] // 15, side[0] // 16)) for side in (_SIZE, (240, 135), (240, 135))]
            large = [np.kron(block, np.ones((15, 16))).astype(np.uint8) for block in blocks]
            yield Planes(*large)

    report = _report(recording, encoded(tmp_path / "noise.mp4", noise(), sound_of=recording))
    effects = {name: status for name, status in _status(report).items() if name.startswith("effects.")}

    assert effects.pop("effects.recording") is CheckStatus.FAIL
    assert set(effects.values()) == {CheckStatus.NOT_APPLICABLE}
    # What needs no marks is checked all the same.
    assert _status(report)["audio.content"] is CheckStatus.PASS
    assert _status(report)["time.stamps"] is CheckStatus.PASS


def test_the_verb_takes_a_file_or_a_scene_and_refuses_a_mistake_in_one_line(
    recording: Path, output: Path, tmp_path: Path
) -> None:
    asked, wrong = tmp_path / "look.toml", tmp_path / "wrong.toml"
    asked.write_text('padding = 0.1\nrounding_px = "any"\nshadow = true\nzoom = "any"\n', encoding="utf-8")
    wrong.write_text("paddin = 0.1\n", encoding="utf-8")
    files = ["validate", str(recording), str(output), "--no-vmaf"]

    assert CliRunner().invoke(app, [*files, "--expect", str(asked)]).exit_code == 0
    assert CliRunner().invoke(app, [*files, "--expect-scene", "bare"]).exit_code == 1
    for options in (["--expect", str(wrong)], ["--expect", str(asked), "--expect-scene", "bare"]):
        refused = CliRunner().invoke(app, [*files, *options])
        assert isinstance(refused.exception, ValueError | SystemExit)
        assert refused.exit_code != 0


@pytest.mark.usefixtures("untimed_jobs_here")
@pytest.mark.skipif(sys.platform == "win32", reason="the subject is a POSIX command")
def test_runs_of_a_command_are_judged_by_what_the_case_expects(tmp_path: Path) -> None:
    matrix = tmp_path / "own.toml"
    case = "[[case]]\nname = '{0}'\nsubjects = ['copy']\nexpect = {{ padding = {1} }}\n"
    matrix.write_text(
        "[defaults]\nrecording = {width = 320, height = 180}\nduration_s = 0.5\nblocks = 1\nsettle_s = 0\n"
        "warmup = false\ndrift_control = false\ntimeout_s = 60\nmetrics = ['psnr']\n"
        "[[subject]]\nname = 'copy'\ncommand = ['cp', '{source}', '{output}']\n"
        + case.format("right", 0.0)
        + case.format("wrong", 0.1)
    )
    run(matrix, RunOptions(), out=tmp_path / "out")

    reports = {result.case: result.validation for result in read_folder(tmp_path / "out").runs if result.validation}
    assert {name: report.passed for name, report in reports.items()} == {"right": True, "wrong": False}
    assert [check.name for check in reports["wrong"].failures] == ["effects.padding"]
