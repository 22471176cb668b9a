"""What a matrix file may say, and what its author reads when it is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.table_values import LONGEST_NAME, MOST_CASES, known_paths
from capbench.resources import matrix_folder
from capbench.results.metric_registry import choose_metrics

_CASE = """
[[case]]
name = "one"
recording = "1080p-1min"
"""


def _load(folder: Path, text: str, name: str = "mine.toml") -> RunMatrix:
    (folder / name).write_text(text, encoding="utf-8")
    return load_matrix(folder / name)


def test_the_standard_matrix_has_the_four_rows_at_full_length() -> None:
    matrix = load_matrix("standard")

    assert [case.recording for case in matrix.cases] == ["1080p-1min", "4k-1min", "1080p-10min", "hls-1080p-1min"]
    assert all({"floor", "cpu", "gpu"} <= set(case.subjects) for case in matrix.cases)
    assert all(case.duration_s is None for case in matrix.cases)
    assert matrix.name == "standard"


def test_metrics_are_the_default_ones_unless_a_file_says_otherwise(tmp_path: Path) -> None:
    plain, chosen = _load(tmp_path, _CASE), _load(tmp_path, _CASE + 'metrics = ["default", "cambi"]\n')

    assert plain.cases[0].metrics is None
    assert "metrics" not in plain.cases[0].model_dump()  # an older program reads the folder, too
    assert chosen.cases[0].metrics == tuple(metric.name for metric in choose_metrics(["default", "cambi"]))
    assert RunMatrix.model_validate_json(chosen.model_dump_json()) == chosen


def test_standard_measures_what_quick_leaves_out() -> None:
    assert all({"cambi", "psnr_hvs", "vmaf"} <= set(case.metrics or ()) for case in load_matrix("standard").cases)
    assert all(case.metrics is None for case in load_matrix("quick").cases)


def test_quick_has_rows_of_standard_cut_short_and_blocks_enough_for_a_verdict() -> None:
    quick, standard = load_matrix("quick"), load_matrix("standard")

    rows = {case.name: case for case in standard.cases}
    for case in quick.cases:
        row = rows[case.name]
        assert (case.recording, case.scene, case.subjects) == (row.recording, row.scene, row.subjects)
        assert case.duration_s is not None
        assert case.duration_s <= 1
        assert case.blocks >= 5
    assert quick.files == tuple(matrix_folder() / f"{name}.toml" for name in ("subjects", "quick"))


def test_a_case_gets_defaults_of_its_file_over_those_of_includes(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[defaults]\nblocks = 7\nsettle_s = 2\n")

    matrix = _load(tmp_path, 'include = ["base.toml"]\n[defaults]\nblocks = 3\n' + _CASE)

    assert (matrix.cases[0].blocks, matrix.cases[0].settle_s) == (3, 2)


def test_overrides_change_included_cases_in_order(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(_CASE + _CASE.replace("one", "two") + "qp = 20\n")

    matrix = _load(
        tmp_path,
        'include = ["base.toml"]\n'
        '[[override]]\ncase = "*"\nblocks = 2\nduration_s = 4\n'
        '[[override]]\ncase = "two"\nblocks = 9\nquality = "low"\n',
    )

    one, two = matrix.cases
    assert (one.blocks, one.duration_s, one.qp) == (2, 4.0, None)
    assert (two.blocks, two.duration_s, two.qp, two.quality) == (9, 4.0, None, "low")


def test_product_makes_one_case_for_each_combination(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + "[case.product]\nqp = [10, 20]\nscene = ['bare', 'studio']\n")

    assert [(case.name, case.qp, case.scene) for case in matrix.cases] == [
        ("one-qp=10-scene=bare", 10, "bare"),
        ("one-qp=10-scene=studio", 10, "studio"),
        ("one-qp=20-scene=bare", 20, "bare"),
        ("one-qp=20-scene=studio", 20, "studio"),
    ]


def test_a_file_included_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(_CASE)
    (tmp_path / "left.toml").write_text('include = ["base.toml"]\n')
    (tmp_path / "right.toml").write_text('include = ["base.toml"]\n')

    assert len(_load(tmp_path, 'include = ["left.toml", "right.toml"]\n').cases) == 1


def test_source_is_relative_to_the_matrix_file(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")

    matrix = _load(tmp_path, '[[case]]\nname = "mine"\nsource = "clip.mp4"\n')

    assert matrix.cases[0].source == tmp_path / "clip.mp4"


def test_rates_stay_exact(tmp_path: Path) -> None:
    assert _load(tmp_path, _CASE + 'fps = "30000/1001"\n').cases[0].fps == "30000/1001"
    assert _load(tmp_path, _CASE + "fps = 29.97\n").cases[0].fps == "30000/1001"
    assert _load(tmp_path, _CASE + "fps = 29.5\n").cases[0].fps == "59/2"
    assert _load(tmp_path, _CASE + 'fps = "2997/100"\n').cases[0].fps == "2997/100"


def test_paths_and_floor_need_no_subject_table(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + 'subjects = ["floor", "gpu-late"]\n')

    assert [(s.name, s.is_floor, s.path) for s in matrix.subjects] == [
        ("floor", True, None),
        ("gpu-late", False, "gpu-late"),
    ]


def test_capacities_need_no_subject_table_and_write_nothing(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + 'subjects = ["gpu", "capacity-gpu", "decode-only"]\n')

    assert [(s.name, s.is_floor, s.path, s.options, s.writes_output) for s in matrix.subjects] == [
        ("gpu", False, "gpu", {}, True),
        ("capacity-gpu", False, "gpu", {"encoder": "none"}, False),
        ("decode-only", True, None, {"encoder": "none"}, False),
    ]
    added = _load(tmp_path, _CASE).select((), ("gpu", "capacity-gpu-fused"), paths=known_paths())
    assert added.cases[0].subjects == ("gpu", "capacity-gpu-fused")
    for wrong in ('subjects = ["capacity-nothing"]\n', 'reference = "decode-only"\n'):
        with pytest.raises(MatrixError):
            _load(tmp_path, (wrong + _CASE if wrong.startswith("reference") else _CASE + wrong))
    with pytest.raises(MatrixError, match="capacity-mine"):
        _load(tmp_path, _CASE + "[[subject]]\nname = 'capacity-mine'\ncommand = 'run {output}'\n")


def test_a_subject_names_its_decoder(tmp_path: Path) -> None:
    table = "subjects = ['nvdec']\n[[subject]]\nname = 'nvdec'\npath = 'gpu'\noptions = { preset = 'fast' }\n"
    matrix = _load(tmp_path, _CASE + table + "decoder = 'cuda'\n")

    assert matrix.subject("nvdec").options == {"preset": "fast", "decoder": "cuda"}
    with pytest.raises(MatrixError, match=r"unknown decoder 'nvdec'; available: software, auto, cuda"):
        _load(tmp_path, _CASE + table + "decoder = 'nvdec'\n")
    with pytest.raises(MatrixError, match="apply only to a path"):
        _load(tmp_path, _CASE + "[[subject]]\nname = 'x'\ncommand = 'run {output}'\ndecoder = 'cuda'\n")


def test_a_command_is_split_like_a_shell_would_and_keeps_its_folder(tmp_path: Path) -> None:
    matrix = _load(
        tmp_path,
        _CASE + "subjects = ['mine']\n[[subject]]\nname = 'mine'\ncommand = \"run 'a b' {source}\\n {output}\"\n",
    )

    assert matrix.subject("mine").command == ("run", "a b", "{source}", "{output}")
    assert matrix.subject("mine").folder == tmp_path


def test_a_subject_only_takes_part_in_scenes_that_it_draws(tmp_path: Path) -> None:
    matrix = _load(
        tmp_path,
        _CASE + "subjects = ['gpu', 'mine']\n[case.product]\nscene = ['bare', 'studio']\n"
        "[[subject]]\nname = 'mine'\ncommand = 'run {output}'\nscenes = ['stud*']\n",
    )

    assert [[s.name for s in matrix.subjects_of(case)] for case in matrix.cases] == [["gpu"], ["gpu", "mine"]]


def test_select_keeps_what_matches(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + _CASE.replace("one", "two"))

    chosen = matrix.select(("t*",), ("g*", "floor"))

    assert [(case.name, case.subjects) for case in chosen.cases] == [("two", ("floor", "gpu"))]
    assert {subject.name for subject in chosen.subjects} == {"floor", "gpu"}


def test_the_name_of_a_path_adds_it_to_every_case(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + _CASE.replace("one", "two"))

    chosen = matrix.select((), ("cpu", "gpu-late"), paths=known_paths())

    assert [case.subjects for case in chosen.cases] == [("cpu", "gpu-late")] * 2
    assert [(subject.name, subject.path) for subject in chosen.subjects] == [("cpu", "cpu"), ("gpu-late", "gpu-late")]


def test_the_floor_is_added_by_its_name_too(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + "subjects = ['gpu']\n")

    assert matrix.select((), ("gpu", "floor")).cases[0].subjects == ("gpu", "floor")
    assert matrix.select((), ("floor",)).subjects[0].is_floor


def test_a_glob_adds_no_path(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match=r"no subject matches 'gpu-l\*'.*by its name: gpu-fused, gpu-late"):
        _load(tmp_path, _CASE).select((), ("gpu-l*",), paths=known_paths())


@pytest.mark.parametrize(
    ("cases", "subjects", "message"),
    [
        (("x*",), (), "no case matches 'x*'; available: one"),
        (("one", "x*"), (), "no case matches 'x*'; available: one"),
        ((), ("cpu", "nvenc"), "no subject matches 'nvenc'; available: floor, cpu, gpu"),
        ((), ("nvenc",), "no subject matches 'nvenc'; available: floor, cpu, gpu"),
    ],
)
def test_a_glob_that_matches_nothing_is_an_error(
    tmp_path: Path, cases: tuple[str, ...], subjects: tuple[str, ...], message: str
) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, _CASE).select(cases, subjects)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_CASE + "scenne = 'bare'\n", ":case[0](one).scenne: unknown key"),
        ("[defaults]\ntimeout = 3\n" + _CASE, ":defaults.timeout: unknown key"),
        (_CASE + "blocks = 0\n", ":case[0](one).blocks: Input should be greater than or equal to 1, got 0"),
        (_CASE + "width = 33\n", ":case[0](one).width: Input should be a multiple of 2, got 33"),
        (_CASE + "fps = 'fast'\n", ":case[0](one).fps: not a frame rate: 'fast'; write for example 30 or '30000/1001'"),
        (_CASE + "fps = 0\n", ":case[0](one).fps: a frame rate must be between 1/3600 and 1000, got 0"),
        (_CASE + "qp = 20\nquality = 'low'\n", ":case[0](one): give quality or qp, not both"),
        (_CASE + "source = 'x.mp4'\n", ":case[0](one): give source or recording, not both"),
        (_CASE + "[case.product]\nqp = []\n", ":case[0].product.qp: an empty list leaves no case"),
        (_CASE + "[case.product]\nqpp = [1]\n", ":case[0].product.qpp: unknown setting"),
        (_CASE + "[case.product]\nqp = [10, 'x']\n", ":case[0].product.qp: Input should be a valid integer"),
        (_CASE + "subjects = []\n", ":case[0](one).subjects: an empty list"),
        (_CASE + "subjects = ['gpu', 'gpu']\n", ":case[0](one).subjects: 'gpu' is listed twice"),
        (_CASE + "subjects = ['gpv']\n", ":case[0](one).subjects: unknown subject 'gpv'; add a [[subject]] table"),
        (_CASE + "[case.thresholds]\nwall_s = {}\n", ":case[0](one).thresholds.wall_s: give min, max or both"),
        (_CASE + "metrics = ['vmfa']\n", ":case[0](one).metrics: unknown metric 'vmfa'; nearest: vmaf"),
        (_CASE + "metrics = []\n", ":case[0](one).metrics: no metric is named"),
        (_CASE + _CASE, ":case[1](one): another case has this name; rename one"),
        ("[[case]]\nname = 'one'\n", ":case[0](one): give source (a file), recording (a synthetic one) or footage"),
        ("[[case]]\nname = 'a--b'\n", ":case[0](a--b).name: 'a--b' cannot be part of a file name"),
        ("[[case]]\nname = '../up'\n", ":case[0](../up).name: '../up' cannot be part of a file name"),
        ("[[case]]\nname = 'one'\nsource = 'gone.mp4'\n", ":case[0](one).source: no such file: "),
        ("[[case]]\nname = 'one'\nsource = ''\n", ":case[0](one).source: no such file: "),
        ("[defaults]\nsource = ''\n[[case]]\nname = 'one'\n", ":case[0](one).source: no such file: "),
        ("[[case]]\nname = 'one'\nrecording = {width=320, height=180}\n", ":case[0](one).duration_s: a recording of "),
        ("", ":case: the matrix has no case; add a [[case]] or [[corpus]] table"),
        (
            _CASE + "[[override]]\ncase = 'two'\nblocks = 1\n",
            ":override[0].case: 'two' matches no case; available: one",
        ),
        (_CASE + "[[subject]]\nname = 'x'\n", ":subject[0](x): give exactly one of path, command and floor = true"),
        (_CASE + "[[subject]]\nname = 'x'\npath = 'gppu'\n", ":subject[0](x): unknown path 'gppu'; available: cpu"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = ''\n", ":subject[0](x): the command is empty"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = 'a {out}'\n", ":subject[0](x): unknown placeholder {out}; "),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = 'a {source}'\n", ":subject[0](x): the command has no {output}"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = \"a 'b\"\n", ":subject[0](x): cannot split the command: "),
        (_CASE + "[[case\n", ": not TOML: "),
        ('include = ["gone.toml"]\n', ":include[0]: no matrix 'gone.toml': neither a file nor a built-in matrix ("),
    ],
)
def test_a_mistake_is_answered_with_file_key_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, text)

    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}{message}")


def test_includes_in_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('include = ["b.toml"]\n')
    (tmp_path / "b.toml").write_text('include = ["mine.toml"]\n')

    with pytest.raises(MatrixError, match=r"circular include: mine\.toml -> a\.toml -> b\.toml -> mine\.toml$"):
        _load(tmp_path, 'include = ["a.toml"]\n' + _CASE)


def test_a_binary_file_is_no_matrix(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(MatrixError, match="not a text file in UTF-8"):
        load_matrix(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", ["nonsense", "/nowhere/at/all.toml"])
def test_an_unknown_name_lists_the_shipped_ones(name: str) -> None:
    with pytest.raises(MatrixError, match=r"no matrix .*\(curve, .*quick, rivals, .*standard.*\)"):
        load_matrix(name)


def test_a_directory_is_no_matrix(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="is a directory; name a matrix file inside it"):
        load_matrix(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_CASE + "settle_s = 1e30\n", "settle_s"),
        (_CASE + "settle_s = inf\n", "settle_s"),
        (_CASE + "settle_s = nan\n", "settle_s"),
        (_CASE + "timeout_s = 1e300\n", "timeout_s"),
        (_CASE + "options = {preset = inf}\n", "options.preset"),
        (_CASE + "expect = {shadow = {offset_px = [0, -inf]}}\n", "offset_px"),
        (_CASE + "thresholds = {peak_rss_bytes = {max = nan}}\n", "thresholds.peak_rss_bytes"),
        (_CASE + "[[subject]]\nname = 'x'\npath = 'cpu'\noptions = {preset = 1e99999999}\n", "options.preset"),
        (_CASE + "duration_s = 1e300\n", "duration_s"),
        (_CASE + "blocks = 9223372036854775807\n", "blocks"),
        (_CASE + "width = 2000000000\n", "width"),
        (_CASE + "fps = 1e300\n", "fps"),
        (_CASE + "fps = '1e999999999'\n", "fps"),
        (_CASE + "fps = '1/99999999999999999999'\n", "fps"),
        ("[[case]]\nname = 'a'\nduration_s = 1\nrecording = {width = 30000, height = 30000}\n", "recording"),
        ("[[case]]\nname = 'a'\nduration_s = 1\nrecording = {width = 16, height = 16, fps = '1e9999999'}\n", "fps"),
        (_CASE + "source = 'x'\n".replace("x", "n" * 5000), "source"),
        ("[[case]]\nname = 'a'\nsource = '" + "n" * 300 + "'\n", "no such file"),
        (_CASE + "scene = '" + "n" * 300 + ".toml'\n", "no such file"),
        ("include = ['" + "n" * 300 + "']\n", "include[0]"),
        ("include = ['/dev/zero']\n", "/dev/zero"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = 'a {output}'\nenv = {'A=B' = 'c'}\n", "A=B"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = 'a {output}'\nenv = {'' = 'c'}\n", "environment variable"),
        (_CASE + "[[subject]]\nname = 'x'\ncommand = 'a {output}'\nenv = {A = \"b\\u0000c\"}\n", "NUL"),
        (_CASE + f"[case.product]\nqp = {list(range(60))}\nblocks = {list(range(1, 200))}\n", str(MOST_CASES)),
        (_CASE + f"[case.product]\nqp = {[1] * 3}\nscene = ['{'s' * 90}']\n", str(LONGEST_NAME)),
        ("[[case]]\nname = 'x'\n" * (MOST_CASES + 1), "case"),
    ],
)
def test_a_value_without_measure_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, text)

    assert says in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_many_mistakes_are_not_all_listed(tmp_path: Path) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, "[defaults]\n" + "".join(f"x{number} = 1\n" for number in range(50)))

    assert str(caught.value).splitlines()[-1] == "and 40 more problems"
    assert len(str(caught.value).splitlines()) == 11


def test_a_long_chain_of_includes_ends(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"f{number}.toml").write_text(f"include = ['f{number + 1}.toml']\n")

    with pytest.raises(MatrixError, match="32 levels"):
        load_matrix(tmp_path / "f0.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
def test_a_matrix_may_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, _CASE.encode())
    os.close(writing)

    assert [case.name for case in load_matrix(f"/dev/fd/{reading}").cases] == ["one"]
    os.close(reading)
