"""Curves and corpora in matrix files: what they expand to, in which order it runs, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run.leftovers import remove_leftovers
from capbench.harness.run.prepare_source import export_options
from capbench.harness.run.schedule import ScheduledRun, block_steps, closing_steps, opening_steps, trial_steps
from capbench.harness.run.validate_output import Validator, WaitingOutput
from capbench.harness.worker.client import JobResult
from capbench.results import Check, CheckStatus, RunResult, ValidationReport
from capbench.results.folder import run_file_name, with_times_floor
from capbench.results.run_record import CurvePoint, RunRole

_CASE = '[[case]]\nname = "one"\nrecording = "1080p-1min"\nsubjects = ["floor", "cpu", "gpu", "decode-only"]\n'
_ENCODER = '[[subject]]\nname = "theirs"\ncommand = "enc {source} {output} '


def _load(folder: Path, text: str) -> RunMatrix:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return load_matrix(folder / "mine.toml")


def _clips(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("curve", "labels", "options"),
    [
        ("qp = [38, 20, 26, 32]", ["qp=20", "qp=26", "qp=32", "qp=38"], {"qp": 20}),
        ("crf = [18, 23.5, 28, 33]", ["crf=18", "crf=23.5", "crf=28", "crf=33"], {"crf": 18.0}),
        (
            'bitrate = ["500k", "1M", 2000000, "4.5M"]',
            ["bitrate=500000", "bitrate=1000000", "bitrate=2000000", "bitrate=4500000"],
            {"bitrate_bits_per_s": 500_000},
        ),
    ],
)
def test_a_curve_is_one_case_with_points(
    tmp_path: Path, curve: str, labels: list[str], options: dict[str, object]
) -> None:
    matrix = _load(tmp_path, f'[defaults]\nquality = "low"\n{_CASE}[case.curve]\n{curve}\n')

    (case,) = matrix.cases
    assert [point.label for point in case.points if point is not None] == labels
    assert export_options(case.at(case.points[0])) == {"scene": "bare"} | options
    assert case.quality is None


def test_each_subject_runs_once_at_each_point_of_a_block_and_a_capacity_once(tmp_path: Path) -> None:
    (case,) = _load(tmp_path, _CASE + "[case.curve]\nqp = [20, 26, 32, 38]\n").cases
    matrix = load_matrix(tmp_path / "mine.toml")
    subjects = matrix.subjects_of(case)

    steps = block_steps(7, 0, case, subjects)

    assert [step.order for step in steps] == list(range(13))
    assert len({step.stem for step in steps}) == 13
    assert sum(step.subject.name == "decode-only" for step in steps) == 1
    places = [[step.point for step in steps].index(point) for point in case.points]
    for place, point in zip(places, case.points, strict=True):  # the subjects of a point follow each other
        together = {step.subject.name for step in steps[place:] if step.point == point}
        assert together >= {"floor", "cpu", "gpu"}
        assert all(step.point == point for step in steps[place : place + len(together)])
    assert steps == block_steps(7, 0, case, subjects)
    assert steps != block_steps(8, 0, case, subjects)
    assert {step.point for step in opening_steps(case, subjects)} == {case.points[0]}
    assert {step.point for step in closing_steps(case, subjects)} == {case.points[0]}
    assert {step.point for step in trial_steps(7, case, subjects)} == {case.points[0]}
    assert [step.is_coarse for step in steps] == [step.point != case.points[0] for step in steps]


def test_the_finest_point_of_a_bit_rate_is_the_highest(tmp_path: Path) -> None:
    (case,) = _load(tmp_path, _CASE + '[case.curve]\nbitrate = ["1M", "2M", "4M", "8M"]\n').cases

    assert case.curve is not None
    assert case.curve.finest.value == 8e6


def test_the_order_of_a_block_without_a_curve_is_as_it_was(tmp_path: Path) -> None:
    # A folder that was begun before there were curves is resumed in the order that it was begun in.
    (case,) = _load(tmp_path, _CASE).cases
    subjects = load_matrix(tmp_path / "mine.toml").subjects_of(case)

    names = [step.subject.name for step in block_steps(7, 2, case, subjects)]

    import random

    expected = list(subjects)
    random.Random("7/one/2").shuffle(expected)
    assert names == [subject.name for subject in expected]


def test_a_run_of_a_point_keeps_it_and_others_are_written_as_before() -> None:
    point = CurvePoint(parameter="crf", value=23.5)
    plain = RunResult(case="one", subject="cpu", block=0)
    pointed = plain.model_copy(update={"point": point, "corpus": "clips"})

    assert not {"point", "corpus"} & set(plain.model_dump())
    assert RunResult.model_validate_json(pointed.model_dump_json()).point == point
    assert run_file_name("one", "cpu", RunRole.MEASURE, 3, point) == "one--cpu--crf=23.5--b003.json"


def test_times_floor_is_taken_at_the_same_point() -> None:
    points = [CurvePoint(parameter="qp", value=value) for value in (20, 40)]
    runs = [
        RunResult(case="one", subject=subject, block=0, point=point, wall_s=wall_s)
        for subject, walls in (("floor", (4.0, 1.0)), ("cpu", (8.0, 3.0)))
        for point, wall_s in zip(points, walls, strict=True)
    ]

    assert [run.times_floor for run in with_times_floor(runs)] == [1.0, 1.0, 2.0, 3.0]


def test_what_a_killed_run_of_a_point_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    left = tmp_path / "outputs" / "one--cpu--crf=23.5--b000.mp4"
    left.write_bytes(b"half")

    remove_leftovers(tmp_path, lambda stem: stem == "one--cpu--crf=23.5--b000")

    assert not left.exists()


@pytest.mark.parametrize(
    ("curve", "named"),
    [
        ("qp = [20, 26, 32]", "4 to 32 points, got 3"),
        ("qp = [20, 26, 32, 32]", "twice"),
        ("qp = [20, 26, 32, 38]\ncrf = [1, 2, 3, 4]", "exactly one"),
        ("", "exactly one"),
        ("qp = [20, 26, 32, -1]", "curve.qp"),
        ("qp = [20.5, 26, 32, 38]", "curve.qp"),
        ("crf = [20, 26, 32, nan]", "crf"),
        ('bitrate = ["1M", "2M", "3M", "fast"]', "not a bit rate"),
        (f"qp = {list(range(33))}", "4 to 32 points, got 33"),
        ("quantiser = [1, 2, 3, 4]", "unknown key"),
    ],
)
def test_a_wrong_curve_is_named(tmp_path: Path, curve: str, named: str) -> None:
    with pytest.raises(MatrixError, match=named) as caught:
        _load(tmp_path, f"{_CASE}[case.curve]\n{curve}\n")

    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (_CASE + "qp = 20\n[case.curve]\nqp = [20, 26, 32, 38]\n", "replaces quality and qp"),
        (_CASE + "options = { crf = 20 }\n[case.curve]\nqp = [20, 26, 32, 38]\n", "the case sets crf"),
        (
            _CASE.replace('"gpu"', '"mine"')
            + "[case.curve]\nqp = [20, 26, 32, 38]\n"
            + '[[subject]]\nname = "mine"\npath = "cpu"\noptions = { qp = 3 }\n',
            "subject 'mine' sets qp",
        ),
        (
            _CASE.replace('"gpu"', '"theirs"') + "[case.curve]\nqp = [20, 26, 32, 38]\n" + _ENCODER + '"\n',
            "all its points would be the same",
        ),
        (_CASE.replace('"gpu"', '"theirs"') + _ENCODER + '{crf}"\n', "needs {crf}"),
        (
            _CASE.replace('"gpu"', '"theirs"') + "[case.curve]\nqp = [20, 26, 32, 38]\n" + _ENCODER + '{qp} {crf}"\n',
            "needs {crf}",
        ),
    ],
)
def test_a_subject_that_cannot_follow_the_points_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(MatrixError, match=named):
        _load(tmp_path, text)


@pytest.mark.parametrize("words", ["{qp}", "{encoder_options}"])
def test_a_command_may_follow_a_curve(tmp_path: Path, words: str) -> None:
    case = _CASE.replace('"gpu"', '"theirs"') + "[case.curve]\nqp = [20, 26, 32, 38]\n"

    assert _load(tmp_path, f'{case}{_ENCODER}{words}"\n').cases


def test_an_override_takes_the_curve_away(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + '[case.curve]\nqp = [20, 26, 32, 38]\n[[override]]\ncase = "one"\nqp = 20\n')

    assert matrix.cases[0].curve is None
    assert matrix.cases[0].qp == 20


def test_a_corpus_is_a_case_a_clip(tmp_path: Path) -> None:
    _clips(tmp_path / "clips", "b.mp4", "A clip (1).MOV", "LICENSE.md", "sums.txt", ".hidden.mp4")

    matrix = _load(
        tmp_path, '[[corpus]]\nname = "clips"\nfolder = "clips"\nblocks = 3\n[corpus.curve]\nqp = [20, 26, 32, 38]\n'
    )

    assert [(case.name, case.corpus, case.blocks) for case in matrix.cases] == [
        ("clips-A_clip__1", "clips", 3),
        ("clips-b", "clips", 3),
    ]
    assert matrix.cases[1].source == (tmp_path / "clips" / "b.mp4").absolute()
    assert all(case.curve is not None for case in matrix.cases)


def test_clips_that_differ_in_their_suffix_keep_it(tmp_path: Path) -> None:
    _clips(tmp_path / "clips", "a.mp4", "a.mov", "b.mp4")

    matrix = _load(tmp_path, '[[corpus]]\nname = "c"\nfolder = "clips"\n')

    assert [case.name for case in matrix.cases] == ["c-a.mov", "c-a.mp4", "c-b"]


def test_a_list_of_files_keeps_its_order_and_may_name_urls(tmp_path: Path) -> None:
    _clips(tmp_path, "z.mp4", "a.mp4")
    digest = "0" * 64

    matrix = _load(
        tmp_path,
        '[[corpus]]\nname = "c"\nfiles = ["z.mp4", "a.mp4", '
        f'{{ url = "https://example.org/x/park%20run.y4m", sha256 = "{digest}" }}]\n',
    )

    assert [case.name for case in matrix.cases] == ["c-z", "c-a", "c-park_run"]
    assert matrix.cases[2].source is None
    assert matrix.cases[2].download is not None
    assert matrix.cases[2].download.sha256 == digest


def test_the_name_of_a_corpus_selects_its_clips(tmp_path: Path) -> None:
    _clips(tmp_path / "clips", "a.mp4", "b.mp4")

    matrix = _load(tmp_path, _CASE + '[[corpus]]\nname = "clips"\nfolder = "clips"\n')

    assert [case.name for case in matrix.select(["clips"]).cases] == ["clips-a", "clips-b"]
    assert [case.name for case in matrix.select(["clips-b"]).cases] == ["clips-b"]


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('folder = "nowhere"', "no such folder: 'nowhere'"),
        ('folder = "empty"', "no clip in 'empty'"),
        ('folder = "clips"\npattern = "*.webm"', r"no clip that matches '\*.webm'"),
        ('folder = "clips/a.mp4"', "no such folder"),
        ('files = ["clips/a.mp4", "clips/b.mp4"]', r"files\[1\]: no such file: 'clips/b.mp4'"),
        ("files = []", "files is empty"),
        ('folder = "clips"\nfiles = ["clips/a.mp4"]', "exactly one of folder and files"),
        ("blocks = 2", "exactly one of folder and files"),
        ('folder = "clips"\nsource = "clips/a.mp4"', "source does not apply to a corpus"),
        ('files = [{ url = "https://example.org/a.mp4", sha256 = "12" }]', "sha256"),
        ('files = [{ url = "file:///etc/passwd", sha256 = "' + "0" * 64 + '" }]', "url"),
        ('files = ["clips/a.mp4", "clips/../clips/a.mp4"]', "two clips are called"),
    ],
)
def test_a_wrong_corpus_is_named(tmp_path: Path, table: str, named: str) -> None:
    _clips(tmp_path / "clips", "a.mp4")
    _clips(tmp_path / "empty", "README.md")

    with pytest.raises(MatrixError, match=named):
        _load(tmp_path, f'[[corpus]]\nname = "c"\n{table}\n')


def test_a_corpus_is_not_called_like_a_case(tmp_path: Path) -> None:
    _clips(tmp_path / "clips", "a.mp4")

    with pytest.raises(MatrixError, match="this name"):
        _load(tmp_path, _CASE + '[[corpus]]\nname = "one"\nfolder = "clips"\n')


def test_a_coarse_point_may_fail_what_coarse_coding_fails_and_nothing_else(tmp_path: Path) -> None:
    (case,) = _load(tmp_path, _CASE + "[case.curve]\nqp = [20, 26, 32, 38]\n").cases
    checks = [
        Check(name=name, status=status, message=f"{name} said so")
        for name, status in (
            ("picture.local", CheckStatus.FAIL),
            ("frames.missing", CheckStatus.FAIL),
            ("picture.quality", CheckStatus.PASS),
        )
    ]
    found = ValidationReport(reference="r", output="o", checks=tuple(checks))
    answer = JobResult(Outcome(Ending(0), timed_out=False, stdout="", stderr=""), result=found.model_dump(mode="json"))

    def statuses(point: CurvePoint | None) -> list[str]:
        step = ScheduledRun(case, Subject(name="cpu", path="cpu"), 0, 0, point=point)
        waiting = WaitingOutput(step, RunResult(case="one", subject="cpu", block=0), tmp_path / "source.mp4")
        report = Validator(tmp_path)._report(waiting, answer)
        assert "picture.local said so" in report.checks[0].message
        return [check.status.value for check in report.checks]

    assert statuses(case.points[0]) == ["fail", "fail", "pass"]
    assert statuses(case.points[-1]) == ["not_applicable", "fail", "pass"]
