"""Pools: known truth comes back by platform, and one number for all platforms only where they agree."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import ResultError
from capbench.gate.over_machines.pool_machines import pool_bundles
from capbench.gate.statistics.nested_effects import nest_effects
from capbench.gate.statistics.random_effects import combine_effects
from capbench.report.machine_pages.pool_page import write_pool_page
from capbench.results.bundle.anonymous_records import PrivateNames, anonymous_results
from capbench.results.bundle.bundle_file import read_bundle, write_bundle
from capbench.results.bundle.machine_pool import (
    MachinePool,
    MachineResidual,
    PlatformRatio,
    PooledMachine,
    PooledSubject,
)
from capbench.results.folder import read_folder
from tests.fleet_simulator import LAB, ONE_CASE, SimulatedMachine, write_fleet_folder
from tests.report_simulator import Simulation

_PC, _MAC = LAB[3], LAB[7]
_FIVE = {
    "ann": _PC,
    "bob": replace(_PC, name="b", speed=1.4),
    "cleo": replace(_PC, name="c", speed=0.7),
    "dan": replace(_MAC, name="d", slowdown={"gpu": 0.8}),
    "eve": replace(_MAC, name="e", speed=2.0, slowdown={"gpu": 0.8}),
}
"""Three of one platform with gpu at 1.5 times the floor, two of another with 1.2; cpu takes 2.6 on all."""


def _bundle(place: Path, name: str, machine: SimulatedMachine, *, blocks: int = 8, height: int = 2160) -> Path:
    cases = [replace(ONE_CASE[0], height=height)]
    simulation = Simulation(cases=cases, blocks=blocks, trace_samples=0, picture_size=None, seed=sum(map(ord, name)))
    folder = write_fleet_folder(place / f"{name}-{height}", [machine], simulation)
    target = place / f"{name}.capbench"
    plan = json.loads((folder / "matrix.json").read_text())
    write_bundle(anonymous_results(read_folder(folder), plan, PrivateNames()), target)
    return target


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Bundles of five machines of two platforms."""
    place = tmp_path_factory.mktemp("pool")
    return [_bundle(place, name, machine) for name, machine in _FIVE.items()]


def test_known_ratios_come_back_by_platform(five: list[Path]) -> None:
    found = {row.subject: row for row in pool_bundles([read_bundle(path) for path in five]).subjects}
    gpu = {each.platform: each for each in found["gpu"].platforms}
    pc, mac = gpu["Windows, NVIDIA graphics"], gpu["macOS, Apple graphics"]

    assert (pc.machines, mac.machines) == (3, 2)
    assert pc.ratio == pytest.approx(1.5, rel=0.02)
    assert mac.ratio == pytest.approx(1.2, rel=0.02)
    assert pc.interval is not None
    assert mac.interval is not None
    assert pc.interval[0] < 1.5 < pc.interval[1]
    assert mac.interval[0] < 1.2 < mac.interval[1]


def test_platforms_that_differ_have_no_number_for_both(five: list[Path]) -> None:
    found = {row.subject: row for row in pool_bundles([read_bundle(path) for path in five]).subjects}

    assert found["gpu"].ratio is None
    assert "75% is the limit" in found["gpu"].why_no_ratio
    assert found["gpu"].i_squared > 0.75
    assert found["cpu"].ratio == pytest.approx(2.6, rel=0.02)


def test_the_floor_is_no_subject_and_times_do_not_matter(five: list[Path]) -> None:
    """Machines differ in speed by a factor of three; residuals of their ratios stay within their noise."""
    found = pool_bundles([read_bundle(path) for path in five])

    assert {row.subject for row in found.subjects} == {"cpu", "gpu"}
    assert all(abs(each.residual) < 0.05 for row in found.subjects for each in row.residuals)
    assert {each.machine for row in found.subjects for each in row.residuals} == set(_FIVE)


def test_a_machine_that_stands_out_has_the_largest_residual(tmp_path: Path, five: list[Path]) -> None:
    odd = _bundle(tmp_path, "odd", replace(_PC, name="o", slowdown={"gpu": 1.5}))
    found = pool_bundles([read_bundle(path) for path in (*five, odd)])
    residuals = {
        each.machine: each.residual for row in found.subjects if row.subject == "gpu" for each in row.residuals
    }

    assert max(residuals, key=lambda name: residuals[name]) == "odd"
    assert residuals["odd"] > 0.2


def test_the_command_writes_table_page_and_json(five: list[Path], tmp_path: Path) -> None:
    page, data = tmp_path / "pool.html", tmp_path / "pool.json"
    ended = CliRunner().invoke(app, ["pool", *map(str, five), "-o", str(page), "--json", str(data)])
    text = page.read_text(encoding="utf-8")

    assert ended.exit_code == 0
    assert "Windows, NVIDIA graphics" in ended.stdout
    assert "75% is the limit" in text
    assert text.count("<svg") >= 2
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert json.loads(data.read_text())["bundles"]["ann.capbench"] == read_bundle(five[0]).sha256


def test_cases_of_one_name_that_ask_for_other_work_stay_apart(five: list[Path], tmp_path: Path) -> None:
    small = _bundle(tmp_path, "small", replace(_PC, name="s"), height=1080)
    found = pool_bundles([read_bundle(path) for path in (five[0], small)])

    assert len({row.case for row in found.subjects}) == 2
    assert all(row.why_no_ratio == "a single machine measured it" for row in found.subjects)


def test_a_bundle_named_twice_is_refused(five: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.capbench"
    copy.write_bytes(five[0].read_bytes())

    ended = CliRunner().invoke(app, ["pool", str(five[0]), str(copy)])

    assert ended.exit_code == 2
    with pytest.raises(ResultError, match="the same bundle"):
        pool_bundles([read_bundle(five[0]), read_bundle(copy)])


def test_too_few_blocks_are_left_out_by_name(five: list[Path], tmp_path: Path) -> None:
    short = _bundle(tmp_path, "short", replace(_PC, name="x"), blocks=2)
    found = pool_bundles([read_bundle(path) for path in (*five, short)])

    assert any("on short: measured in 2 blocks" in words for words in found.left_out)
    assert "short" not in {machine.name for machine in found.machines}
    with pytest.raises(ResultError, match="nothing can be pooled"):
        pool_bundles([read_bundle(short)])


def test_one_platform_is_an_ordinary_mean() -> None:
    effects, errors = [0.10, 0.13, 0.08, 0.12], [0.01, 0.02, 0.01, 0.015]
    nested, plain = nest_effects(effects, errors, ["a"] * 4), combine_effects(effects, errors)

    assert nested.platforms[0].mean == pytest.approx(plain.mean)
    assert nested.platforms[0].interval(0.05) == pytest.approx(plain.interval(0.05))
    assert nested.tau_squared == pytest.approx(plain.tau_squared)
    assert (nested.i_squared, nested.spread) == (0.0, 0.0)


def test_platforms_share_the_variance_of_machines() -> None:
    """By hand: with equal, tiny errors tau squared is the pooled variance within platforms."""
    effects = [0.0, 0.2, 1.0, 1.1, 1.2]
    found = nest_effects(effects, [1e-5] * 5, ["a", "a", "b", "b", "b"])
    pooled = (np.var([0.0, 0.2], ddof=1) * 1 + np.var([1.0, 1.1, 1.2], ddof=1) * 2) / 3

    assert found.tau_squared == pytest.approx(float(pooled), rel=1e-6)
    assert [each.mean for each in found.platforms] == pytest.approx([0.1, 1.1])
    assert [each.standard_error for each in found.platforms] == pytest.approx(
        [math.sqrt(pooled / 2), math.sqrt(pooled / 3)], rel=1e-6
    )
    assert found.residuals == pytest.approx([-0.1, 0.1, -0.1, 0.0, 0.1])


def test_as_many_platforms_as_machines_have_no_interval() -> None:
    found = nest_effects([0.1, 0.2], [0.01, 0.01], ["a", "b"])

    assert [each.interval(0.05) for each in found.platforms] == [None, None]


def test_a_precise_difference_that_nobody_cares_about_is_no_reason_to_keep_platforms_apart() -> None:
    found = nest_effects([0.100, 0.1001, 0.110, 0.1101], [1e-5] * 4, ["a", "a", "b", "b"])

    assert found.i_squared > 0.75
    assert not found.differs_by_platform


@pytest.mark.parametrize("effects", [[], [math.nan]])
def test_what_cannot_be_fitted_is_refused(effects: list[float]) -> None:
    with pytest.raises(ValueError, match=r"effect|finite"):
        nest_effects(effects, [0.1] * len(effects), ["a"] * len(effects))


def test_names_in_a_pool_are_text(tmp_path: Path) -> None:
    """Names come from bundles of strangers."""
    hostile = "<img src=x onerror=alert(1)>\u202e$\\frac{a}{b}$ {{ 7*7 }}"
    ratio = PlatformRatio(platform=hostile, ratio=1.2, interval=(1.1, 1.3), machines=1)
    residual = MachineResidual(
        machine=hostile, ratio=1.2, interval=(1.1, 1.3), blocks=5, residual=0.0, standardised=4.0
    )
    row = PooledSubject(
        case=hostile,
        subject=hostile,
        platforms=(ratio,),
        ratio=None,
        interval=None,
        why_no_ratio=hostile,
        i_squared=0.0,
        tau=0.0,
        residuals=(residual,),
    )
    machine = PooledMachine(name=hostile, platform=hostile, attributes={hostile: hostile}, revisions=(hostile,))
    pool = MachinePool(bundles={hostile: "0" * 64}, machines=(machine,), subjects=(row,), left_out=(hostile,))

    page = write_pool_page(pool, tmp_path / "pool.html").read_text(encoding="utf-8")

    assert "<img" not in page
    assert "\u202e" not in page
    assert "{{ 7*7 }}" in page
