"""The gate over machines: the mean by published figures, each machine's verdict, and what tells machines apart."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import ResultError
from capbench.gate.compare_targets import compare_folder, compare_sides, parse_side
from capbench.gate.over_machines.disagreement import separating_attributes
from capbench.gate.over_machines.machine_attributes import attributes_of
from capbench.gate.statistics.random_effects import combine_effects
from capbench.report.formats.ci.code_quality import code_quality_json
from capbench.report.formats.ci.junit import junit_xml
from capbench.report.formats.ci.pull_request import pull_request_comment
from capbench.results import Comparison, Verdict
from capbench.results.comparison import PooledVerdict
from capbench.results.environment import Environment, FleetMachine
from tests.fleet_simulator import LAB, ONE_CASE, SimulatedMachine, write_fleet_folder
from tests.report_simulator import Simulation

# 13 trials of the BCG vaccine (Colditz et al. 1994), the example of metafor and of many papers: cases and others among
# the vaccinated, cases and others among the controls.
_TRIALS = (
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
)
_FAST = Simulation(cases=ONE_CASE, blocks=6, trace_samples=0, picture_size=None)


def _bcg() -> tuple[np.ndarray, np.ndarray]:
    """Log risk ratios and their standard errors, as metafor's `escalc(measure="RR")` computes them."""
    a, b, c, d = np.array(_TRIALS, dtype=float).T
    return np.log(a / (a + b) / (c / (c + d))), np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def test_the_mean_agrees_with_published_figures() -> None:
    """Q and I squared as in metafor's documentation; the rest as statsmodels 0.15 gives with Paule and Mandel's tau."""
    found = combine_effects(*_bcg())

    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert found.i_squared == pytest.approx(0.9212, abs=5e-5)
    assert found.tau_squared == pytest.approx(0.3180684522, abs=1e-9)
    assert found.mean == pytest.approx(-0.714968153, abs=1e-8)
    assert found.standard_error == pytest.approx(0.180892192, abs=1e-8)
    assert found.interval(0.025) == pytest.approx((-1.10909838, -0.32083793), abs=1e-7)


def test_the_prediction_is_that_of_higgins_and_others() -> None:
    """Student's with two degrees of freedom less than there are trials, of tau squared and the mean's error."""
    found = combine_effects(*_bcg())
    reach = stats.t.isf(0.025, 11) * math.sqrt(0.3180684522 + 0.180892192**2)

    assert found.prediction(0.025) == pytest.approx((-0.714968153 - reach, -0.714968153 + reach), abs=1e-6)


def test_machines_that_agree_have_no_spread() -> None:
    found = combine_effects([0.10, 0.11, 0.09], [0.05, 0.05, 0.05])

    assert (found.tau_squared, found.i_squared) == (0.0, 0.0)
    assert found.mean == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(0.05 / math.sqrt(3))


def test_equal_figures_do_not_silence_a_noisy_machine() -> None:
    """Counted figures that never vary have no error; an infinite weight would make everything else nothing."""
    found = combine_effects([0.0, 0.1, 0.2], [0.0, 0.0, 0.02])

    assert found.weights.min() > 0.3


@pytest.mark.parametrize(
    ("effects", "errors"),
    [([0.1], [0.1]), ([0.1, math.nan], [0.1, 0.1]), ([0.1, 0.2], [0.1, math.inf]), ([0.1, 0.2], [0.1, -0.1])],
)
def test_what_cannot_be_combined_is_refused(effects: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError, match=r"machines|finite"):
        combine_effects(effects, errors)


def _time(comparison: Comparison) -> PooledVerdict:
    return next(row for row in comparison.over_machines if row.metric == "wall_s")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve machines, one of which disagrees."""
    return write_fleet_folder(tmp_path_factory.mktemp("lab"), LAB, replace(_FAST, blocks=8))


@pytest.fixture(scope="module")
def lab_compared(lab: Path) -> Comparison:
    return compare_folder(lab)


def test_a_machine_that_disagrees_is_not_averaged_away(lab_compared: Comparison) -> None:
    """Time is 39% less on average, and whoever has the one machine waits longer."""
    time = _time(lab_compared)

    assert lab_compared.exit_code == 1
    assert time.verdict is Verdict.WORSE
    assert time.ratio is not None
    assert 0.5 < time.ratio < 0.7
    assert time.by_verdict["worse"] == ("thinkpad",)
    assert time.tally == "faster on 11 of 12, slower on thinkpad (Intel graphics)"
    assert time.i_squared is not None
    assert time.i_squared > 0.9
    assert sum(time.weights.values()) == pytest.approx(1)


def test_every_machine_has_its_own_verdict(lab_compared: Comparison) -> None:
    verdicts = {one.machine: one.verdict for one in lab_compared.by_machine}

    assert verdicts.pop("thinkpad") is Verdict.WORSE
    assert set(verdicts.values()) == {Verdict.BETTER}
    assert len(verdicts) == 11


def test_a_machine_is_judged_by_its_own_blocks(lab_compared: Comparison, tmp_path: Path) -> None:
    """Estimate and interval are those of a folder that has this machine alone."""
    alone = compare_folder(write_fleet_folder(tmp_path / "one", LAB[:1], replace(_FAST, blocks=8)))
    own = next(row for row in alone.verdicts if row.metric == "wall_s")
    in_fleet = next(row for row in lab_compared.of_machine("studio-1").verdicts if row.metric == "wall_s")

    assert (in_fleet.ratio, in_fleet.interval, in_fleet.blocks) == (own.ratio, own.interval, own.blocks)


def test_the_command_ends_with_1_and_shows_who_disagrees(lab: Path) -> None:
    ended = CliRunner().invoke(app, ["compare", str(lab)])

    assert ended.exit_code == 1
    assert "thinkpad" in ended.stdout
    assert "faster on 11 of 12, slower on thinkpad (Intel graphics)" in ended.stdout.splitlines()[-1]


def test_the_json_has_machines_and_their_mean(lab: Path) -> None:
    ended = CliRunner().invoke(app, ["compare", str(lab), "--json", "-"])
    found = json.loads(ended.stdout)

    assert [one["machine"] for one in found["by_machine"]] == sorted(machine.name for machine in LAB)
    assert {row["machine"] for row in found["verdicts"]} == {machine.name for machine in LAB}
    assert next(row for row in found["over_machines"] if row["metric"] == "wall_s")["prediction"][0] > 0
    assert found["by_machine"][0]["attributes"]["graphics"] == "Apple graphics"


def test_formats_for_ci_tell_machines_apart(lab_compared: Comparison) -> None:
    names = [
        line.split('name="')[1].split('"')[0] for line in junit_xml(lab_compared).splitlines() if "<testcase" in line
    ]
    issues = json.loads(code_quality_json(lab_compared, None))

    assert len(names) == len(set(names)) == len(lab_compared.verdicts)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert "slower on thinkpad" in pull_request_comment(lab_compared)


def _with_slow_intel(count: int, *, also_fast: int = 0) -> list[SimulatedMachine]:
    intel = "Intel(R) Iris(R) Xe Graphics, Mesa 25.0 (Vulkan)"
    slow = [
        SimulatedMachine(f"intel-{n}", intel, cpu_model=f"Core i{n}", slowdown={"gpu": 2.2}, os=f"Linux {n}")
        for n in range(count)
    ]
    fast = [SimulatedMachine(f"quick-{n}", intel) for n in range(also_fast)]
    return [*LAB[:5], *slow, *fast]


def test_what_separates_them_is_named(tmp_path: Path) -> None:
    compared = compare_folder(write_fleet_folder(tmp_path / "fleet", _with_slow_intel(2), _FAST))

    assert _time(compared).tally.startswith("faster on 5 of 7, slower on the two with Intel graphics")


def test_an_attribute_that_one_fast_machine_shares_separates_nothing(tmp_path: Path) -> None:
    compared = compare_folder(write_fleet_folder(tmp_path / "fleet", _with_slow_intel(2, also_fast=1), _FAST))

    assert _time(compared).tally == "faster on 6 of 8, slower on intel-0 and intel-1"


def test_an_attribute_unknown_of_one_machine_separates_nothing() -> None:
    attributes = {"a": {"system": "Linux"}, "b": {"system": "Linux"}, "c": {}, "d": {"system": "macOS"}}

    assert separating_attributes(["a", "b"], ["d"], attributes) == (("system", "Linux"),)
    assert separating_attributes(["a", "b"], ["c", "d"], attributes) == ()
    assert separating_attributes(["a"], ["d"], attributes) == ()


@pytest.mark.parametrize(
    ("adapter", "is_software", "graphics"),
    [
        ("NVIDIA GeForce RTX 4070, driver 550.54 (Vulkan)", False, "NVIDIA graphics"),
        ("AMD Radeon RX 6800 (RADV)", False, "AMD graphics"),
        ("Intel(R) Iris(R) Xe Graphics", False, "Intel graphics"),
        ("Apple M2", False, "Apple graphics"),
        ("Adreno X1-85", False, "Qualcomm graphics"),
        ("llvmpipe (LLVM 15.0.6)", True, "a software adapter"),
        ("Frobnicator 3000", False, None),
        (None, None, None),
    ],
)
def test_graphics_are_named_by_their_vendor(
    adapter: str | None, is_software: bool | None, graphics: str | None
) -> None:
    machine = FleetMachine(environment=Environment(adapter=adapter, adapter_is_software=is_software))

    assert attributes_of(machine).get("graphics") == graphics


def test_the_mean_speaks_for_machines_with_too_few_blocks(tmp_path: Path) -> None:
    """Three noisy blocks leave some machine undecided; twelve such machines show together that nothing is worse."""
    machines = [SimulatedMachine(f"m{n}", slowdown={"gpu": 2.6 / 1.5}, noise=0.015) for n in range(12)]
    compared = compare_folder(write_fleet_folder(tmp_path / "fleet", machines, replace(_FAST, blocks=3)))
    time = _time(compared)

    assert "undecided" in time.by_verdict
    assert time.verdict is Verdict.SAME


def test_a_broken_output_on_one_machine_is_invalid_for_all(tmp_path: Path) -> None:
    machines = [*LAB[:3], replace(LAB[3], broken_colour=frozenset({"gpu"}))]
    compared = compare_folder(write_fleet_folder(tmp_path / "fleet", machines, _FAST))
    checks = next(row for row in compared.over_machines if row.metric == "validation")

    assert compared.exit_code == 1
    assert checks.by_verdict["invalid"] == ("win-rtx",)
    assert "win-rtx" in checks.sentence


def test_two_machines_have_verdicts_and_no_mean(tmp_path: Path) -> None:
    compared = compare_folder(write_fleet_folder(tmp_path / "fleet", LAB[:2], _FAST))
    time = _time(compared)

    assert (time.ratio, time.prediction, time.verdict) == (None, None, Verdict.BETTER)
    assert time.tally == "faster on all 2 machines"


def test_a_machine_without_the_base_takes_no_part_and_is_named(tmp_path: Path) -> None:
    folder = write_fleet_folder(tmp_path / "fleet", LAB[:4], _FAST)
    for file in (folder / "runs").glob("*--cpu--on=studio-2--*.json"):
        file.unlink()
    for file in (folder / "runs").glob("*--gpu--on=studio-2--*.json"):
        file.unlink()

    compared = compare_folder(folder)

    assert "studio-2" not in {one.machine for one in compared.by_machine}
    assert any(words.startswith("studio-2 takes no part") for words in compared.warnings)


def test_a_baseline_is_judged_on_each_machine_by_a_gate_file_only(tmp_path: Path) -> None:
    folder = write_fleet_folder(tmp_path / "fleet", LAB[:2], _FAST)
    baseline = tmp_path / "baseline.json"
    baseline.write_text("{}")

    with pytest.raises(ResultError, match="baseline of a gate file"):
        compare_sides(parse_side(str(baseline)), parse_side(str(folder)))


def test_looks_at_several_machines_are_refused(tmp_path: Path) -> None:
    folder = write_fleet_folder(tmp_path / "fleet", LAB[:2], _FAST)
    plan = json.loads((folder / "matrix.json").read_text())
    (folder / "matrix.json").write_text(json.dumps(plan | {"command": ["capbench", "run", "--until-decided"]}))

    with pytest.raises(ResultError, match="looks cannot be divided"):
        compare_folder(folder)


def test_two_fleets_are_compared_machine_by_machine(tmp_path: Path) -> None:
    before = write_fleet_folder(tmp_path / "before", LAB[:4], _FAST)
    after = write_fleet_folder(tmp_path / "after", [replace(one, slowdown={"gpu": 1.3}) for one in LAB[:4]], _FAST)

    compared = compare_sides(parse_side(str(before)), parse_side(str(after)))
    times = {row.new: row for row in compared.over_machines if row.metric == "wall_s"}

    assert times["after:gpu"].verdict is Verdict.WORSE
    assert times["after:gpu"].ratio == pytest.approx(1.3, rel=0.03)
    assert times["after:cpu"].verdict is not Verdict.WORSE
