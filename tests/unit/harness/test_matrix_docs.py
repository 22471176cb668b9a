"""The matrix in docs/matrix.md works as printed."""

from __future__ import annotations

import re
from pathlib import Path

from capbench.harness.matrix.load_matrix import load_matrix

_DOCUMENT = Path(__file__).parents[3] / "docs" / "matrix.md"


_RUNGS = ("1080p60-1-bare", "1080p60-2-framed", "1080p60-3-zooms")


def test_the_printed_matrices_load(tmp_path: Path) -> None:
    printed = re.findall(r"```toml\n(.*?)```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    first, product, curve, corpus, footage, ladder, subjects, machines = printed
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "demo.mp4").write_bytes(b"")
    (tmp_path / "mine.toml").write_text(first)
    (tmp_path / "product.toml").write_text(product)

    (tmp_path / "subjects.toml").write_text(f"[[case]]\nname = 'a'\nrecording = '1080p-1min'\n{subjects}")
    assert [subject.name for subject in load_matrix(tmp_path / "subjects.toml").subjects] == [
        *("floor", "cpu", "gpu", "x264-preset=veryfast", "x264-preset=medium"),
    ]
    (tmp_path / "machines.toml").write_text(f"[[case]]\nname = 'a'\nrecording = '1080p-1min'\n{machines}")
    assert [choice.blocks for choice in load_matrix(tmp_path / "machines.toml").machines] == [20, 20]
    (tmp_path / "curve.toml").write_text(curve)
    (tmp_path / "corpus.toml").write_text(corpus)
    curves, clips = load_matrix(tmp_path / "curve.toml"), load_matrix(tmp_path / "corpus.toml")
    assert [len(case.points) for case in curves.cases] == [4]
    assert [(case.name, case.corpus) for case in clips.cases] == [
        ("clips-demo", "clips"),
        ("published-demo", "published"),
        ("published-park_run", "published"),
    ]

    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "foreign.toml").write_text("[cursor]\nseed = 1\n")
    (tmp_path / "footage.toml").write_text(footage)
    (foreign,) = load_matrix(tmp_path / "footage.toml").cases
    assert foreign.footage is not None
    assert (foreign.footage.name, foreign.footage.frames) == ("park", 120)
    cases = "".join(f"[[case]]\nname = {rung!r}\nrecording = '1080p-1min'\n" for rung in _RUNGS)
    (tmp_path / "ladder.toml").write_text(cases + ladder)
    assert [found.rungs for found in load_matrix(tmp_path / "ladder.toml").ladders] == [_RUNGS]

    mine, combined = load_matrix(tmp_path / "mine.toml"), load_matrix(tmp_path / "product.toml")

    assert [(case.name, case.blocks, case.subjects) for case in mine.cases] == [
        ("clip", 10, ("floor", "gpu", "mine")),
        ("4k", 10, ("floor", "gpu", "mine")),
    ]
    assert mine.cases[1].thresholds["psnr_y.mean"].min == 38
    assert len(combined.cases) == 6
    assert combined.cases[1].name == "quality-qp=16-scene=studio"


def test_every_setting_is_documented() -> None:
    from capbench.harness.matrix.toml_file import CorpusTable, OverrideTable, SubjectTable
    from capbench.results.environment import MachineChoice

    text = _DOCUMENT.read_text(encoding="utf-8")

    for name in {
        *OverrideTable.model_fields,
        *CorpusTable.model_fields,
        *SubjectTable.model_fields,
        *MachineChoice.model_fields,
    } - {
        "case",
        "floor",
        "sampled",
    }:
        assert f"`{name}`" in text, name
