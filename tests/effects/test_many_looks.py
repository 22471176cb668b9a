"""Thousands of looks are drawn and measured in an order of which any beginning is as good, and kept line by line."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from tests.effects.kept_results import finding_line, kept_names, read_lines
from tests.effects.many_looks import LookJob, jobs_from, measure_looks, measured_look
from tests.effects.planted_faults import FAULTS
from tests.effects.seeded_looks import coarseness
from tests.effects.study import folder_tables


def _line(name: str, *, fault: str = "", finding: EffectFinding | None = None) -> str:
    findings = [] if finding is None else [finding_line(finding)]
    return json.dumps({"look": name, "fault": fault, "crf": 30, "findings": findings}) + "\n"


def test_wherever_a_study_ends_there_are_as_many_right_looks_as_faults_of_each_kind() -> None:
    begun = list(islice(jobs_from(5, 1000, 100), 4 * len(FAULTS)))

    assert len({job.name for job in begun}) == len(begun)
    assert sum(job.fault is None for job in begun) == 2 * len(FAULTS)
    kinds = Counter(job.fault for job in begun if job.fault is not None)
    assert kinds == dict.fromkeys(range(len(FAULTS)), 2)


def test_no_more_are_drawn_than_asked() -> None:
    assert [job.name for job in jobs_from(7, 3, 0)] == ["right-7", "right-8", "right-9"]
    assert len(list(jobs_from(0, 2, 1))) == 2 + len(FAULTS)


def test_a_look_of_a_seed_is_the_same_again_in_its_own_quality(tmp_path: Path) -> None:
    (tmp_path / "camera.mp4").touch()  # it is looked for, not read
    for fault in (None, *range(len(FAULTS))):
        job = LookJob(100_003, fault)
        one, again = job.look(tmp_path), job.look(tmp_path)
        assert (one.asked, one.drawn) == (again.asked, again.drawn)
        assert one.drawn.crf == coarseness(100_003)
        assert fault is None or one.asked != one.drawn or one.scene_at is not None
    assert {coarseness(seed) for seed in range(400)} == set(range(18, 39))


def test_a_line_says_what_was_found(tmp_path: Path) -> None:
    finding = EffectFinding(
        effect="cursor",
        outcome="fail",
        message="the cursor is late",
        asked=True,
        found=True,
        parameters=(
            MeasuredParameter(name="lag_frames", asked=0.0, measured=3.14159265, uncertainty=None, tolerance=1.0),
        ),
    )
    file = tmp_path / "found.jsonl"
    file.write_text(_line("right-1", finding=finding) + _line("fault-2-1", fault=FAULTS[2].name), encoding="utf-8")

    right, fault = read_lines(file)

    assert (right.name, right.fault, right.crf, fault.fault) == ("right-1", "", 30, FAULTS[2].name)
    (read,) = right.findings
    assert read == finding.model_copy(update={"parameters": (read.parameters[0],)})
    assert read.parameters[0].measured == pytest.approx(3.142)
    assert (read.parameters[0].tolerance, read.parameters[0].uncertainty) == (1.0, None)
    assert "Could not be drawn or measured: fault-2-1" in folder_tables("Many", [right, fault])


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "found.jsonl"
    file.write_text(_line("right-1") + _line("right-2")[:-9], encoding="utf-8")

    assert kept_names(file) == {"right-1"}
    assert file.read_text(encoding="utf-8") == _line("right-1")
    assert kept_names(tmp_path / "none.jsonl") == set()


def _named(job: LookJob, folder: Path) -> dict[str, Any]:
    """In place of a look that is drawn and measured; one of them cannot be."""
    if job.seed == 3:
        raise ValueError("nothing to draw")
    assert (folder / "cameras" / "late.mp4").is_file()
    return {"look": job.name, "fault": "", "crf": 20, "findings": []}


def test_looks_are_measured_once_and_not_after_the_time(tmp_path: Path) -> None:
    file = tmp_path / "found.jsonl"

    measure_looks([LookJob(1, None)], file, workers=1, ends_s=0.0, measure=_named)
    assert kept_names(file) == set()
    file.write_text(_line("right-1"), encoding="utf-8")
    measure_looks([LookJob(seed, None) for seed in range(1, 8)], file, workers=2, measure=_named)

    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert sorted(line["look"] for line in lines) == [f"right-{seed}" for seed in range(1, 8)]
    assert {line["look"]: line.get("error") for line in lines if "error" in line} == {
        "right-3": "ValueError('nothing to draw')"
    }


def test_a_look_is_drawn_measured_and_deleted(tmp_path: Path) -> None:
    line = measured_look(LookJob(100_006, None), tmp_path)

    assert (line["look"], line["fault"], line["crf"]) == ("right-100006", "", coarseness(100_006))
    effects = {effect: outcome for effect, outcome, *_ in line["findings"]}
    assert {"padding", "zoom", "shadow", "cursor", "camera"} < set(effects)
    assert (effects["padding"], effects["zoom"]) == ("pass", "pass")
    assert not list(tmp_path.rglob("look.mp4"))
