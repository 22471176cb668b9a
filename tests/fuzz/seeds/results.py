"""What capbench itself writes and others are handed: results, baselines, calibrations, histories, bundles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from capbench.gate.calibration import Calibration, MetricCalibration, Rate
from capbench.gate.history.baseline_figures import take_baseline, write_baseline
from capbench.gate.history.series import HistoryEntry, HistoryFigure
from capbench.resources import matrix_folder
from capbench.results.bundle.anonymous_records import PrivateNames, anonymous_results
from capbench.results.bundle.bundle_file import write_bundle
from capbench.results.folder import read_folder
from capbench.results.record import record_json
from capbench.results.tidy_table import load
from tests.fleet_simulator import LAB, write_fleet_folder
from tests.fuzz.bundle_members import members_of
from tests.fuzz.seeds.seed_input import JUDGED, SeedInput
from tests.report_simulator import SimulatedCase, Simulation, write_simulated_folder

__all__ = ["bundle_seeds", "gate_seeds", "history_seeds", "result_seeds"]

_Command = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Name, command line, and what it leaves behind."""
_CASE: Final = (SimulatedCase("4k", 1920, 1080, 24, 2.0),)
"""By its name the rules about 4K are for it; as large as 1080p, so that memory stays below their limit."""
_BLOCKS: Final = 10
"""As many as the claims of the shipped gate file need to be decided."""
_LEFT: Final = ("c.json", "j.xml", "c.md", "s.md", "q.json", "b.json")
_FORMATS: Final = (
    *("--json", "c.json", "--junit", "j.xml", "--comment", "c.md"),
    *("--summary", "s.md", "--code-quality", "q.json", "--badge", "b.json"),
)


def gate_seeds(folder: Path) -> Iterator[SeedInput]:
    """The shipped gate file, whose claims these runs keep, the same with files that it names, and a baseline."""
    files = _runs(folder / "gate")
    compared = ("compare", "run:cpu", "run:gpu")
    shipped = (matrix_folder() / "gates.toml").read_bytes()
    baseline = folder / "baseline.json"
    write_baseline(take_baseline(load(folder / "gate" / "run")), baseline)
    named = {"baseline.json": baseline.read_bytes(), "calibration.json": _calibration().encode()}
    yield SeedInput(
        name="gate-shipped",
        kind="gate",
        files={**files, "gates.toml": shipped},
        mutable=("gates.toml",),
        arguments=(*compared, "--gates", "gates.toml", *_FORMATS),
        ends=JUDGED,
        may_leave=_LEFT,
    )
    own = shipped.replace(b'"../reports/calibration.json"', b'"calibration.json"\nbaseline = "baseline.json"')
    assert own != shipped
    yield SeedInput(
        name="gate-named-files",
        kind="gate",
        files={**files, **named, "gates.toml": own},
        mutable=("gates.toml", "calibration.json", "baseline.json"),
        arguments=("compare", "run", "--gates", "gates.toml", *_FORMATS),
        ends=JUDGED,
        may_leave=_LEFT,
    )
    yield SeedInput(
        name="baseline",
        kind="baseline",
        files={**files, **named},
        mutable=("baseline.json",),
        arguments=("compare", "baseline.json", "run", *_FORMATS),
        ends=JUDGED,
        may_leave=_LEFT,
    )


def result_seeds(folder: Path) -> Iterator[SeedInput]:
    """Result folders of one machine and of several, through everything that reads them."""
    files = {name: data for name, data in _runs(folder / "result", blocks=4).items() if "environment" not in name}
    fleet = _fleet(folder / "fleet")
    single: tuple[_Command, ...] = (
        ("compare", ("compare", "run:cpu", "run:gpu", *_FORMATS), _LEFT),
        ("csv", ("results", "run", "--to", "csv"), ()),
        ("page", ("report", "run", "-o", "page.html"), ("page.html",)),
        ("markdown", ("report", "run", "-o", "page.md"), ("page.md",)),
        ("baseline", ("baseline", "update", "run", "-o", "new.json"), ("new.json",)),
        ("history", ("history", "add", "run", "--history", "h.jsonl"), ("h.jsonl",)),
        ("bundle", ("bundle", "run", "-o", "machine.capbench"), ("machine.capbench",)),
    )
    several: tuple[_Command, ...] = (
        ("compare", ("compare", "run", *_FORMATS), _LEFT),
        ("page", ("report", "run", "-o", "page.html"), ("page.html", "machines/*")),
    )
    for name, arguments, left in single:
        yield SeedInput(
            name=f"result-{name}",
            kind="result",
            files=files,
            mutable=tuple(files),
            arguments=arguments,
            ends=JUDGED if name == "compare" else (0,),
            may_leave=left,
        )
    for name, arguments, left in several:
        yield SeedInput(
            name=f"result-fleet-{name}",
            kind="result",
            files=fleet,
            mutable=(*fleet, *["run/machines.json"] * 4),
            arguments=arguments,
            ends=JUDGED if name == "compare" else (0,),
            may_leave=left,
        )


def history_seeds() -> Iterator[SeedInput]:
    """A history of a dozen nights, with a step."""
    lines = [record_json(_night(number, 2.0 if number < 6 else 2.3)) for number in range(12)]
    files = {"h.jsonl": ("\n".join(lines) + "\n").encode()}
    for name, arguments, left in (
        ("show", ("history", "show", "--history", "h.jsonl", "--json", "trends.json"), ("trends.json",)),
        ("site", ("history", "site", "--history", "h.jsonl", "-o", "site"), ("site/*",)),
    ):
        yield SeedInput(f"history-{name}", "history", files, ("h.jsonl",), arguments, may_leave=left)


def bundle_seeds(folder: Path) -> Iterator[SeedInput]:
    """Bundles, mutated as they are and member by member, checked and pooled."""
    _fleet(folder / "bundled")
    run = folder / "bundled" / "run"
    plan = json.loads((run / "matrix.json").read_text(encoding="utf-8"))
    made = folder / "lab.capbench"
    write_bundle(anonymous_results(read_folder(run), plan, PrivateNames()), made)
    whole, members = made.read_bytes(), members_of(made.read_bytes(), "lab.capbench")
    checked = ("bundle", "--check", "lab.capbench", "--json", "manifest.json")
    pooled = ("pool", "lab.capbench", "other.capbench", "-o", "pool.html", "--json", "pool.json")
    packed = ("lab.capbench",)
    yield SeedInput("bundle-check", "bundle", {"lab.capbench": whole}, packed, checked, may_leave=("manifest.json",))
    yield SeedInput(
        name="bundle-members",
        kind="bundle",
        files=members,
        mutable=tuple(members),
        arguments=checked,
        may_leave=("manifest.json",),
        bundles=packed,
    )
    for name in ("bundle-pool", "bundle-pool-again"):  # most of what a bundle's figures can do, they do in a pool
        yield SeedInput(
            name=name,
            kind="bundle",
            files={**members, "other.capbench": whole},
            mutable=tuple(member for member in members if not member.endswith("manifest.json")),
            arguments=pooled,
            may_leave=("pool.html", "pool.json"),
            bundles=packed,
        )


def _runs(folder: Path, *, blocks: int = _BLOCKS) -> dict[str, bytes]:
    """A result folder `run` of floor, cpu and gpu."""
    write_simulated_folder(
        folder / "run", Simulation(cases=_CASE, blocks=blocks, trace_samples=3, picture_size=None, noise=0.01)
    )
    return _files(folder)


def _fleet(folder: Path) -> dict[str, bytes]:
    """The same of three machines."""
    write_fleet_folder(folder / "run", LAB[3:6], Simulation(cases=_CASE, blocks=3, trace_samples=3, picture_size=None))
    return _files(folder)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _calibration() -> str:
    metrics = tuple(
        MetricCalibration(
            case="4k",
            metric=metric,
            margin=0.02,
            noise_per_block=0.01,
            noise_floor=0.008,
            false_alarms=Rate(count=1, of=200, low=0.0001, high=0.03),
            detections={"0.05": Rate(count=199, of=200, low=0.97, high=0.999)},
        )
        for metric in ("wall_s", "cpu_s", "peak_rss_bytes")
    )
    machine = Simulation().fingerprint
    found = Calibration(machine=machine, subject="cpu", blocks_recorded=30, blocks_each=10, metrics=metrics)
    return record_json(found, indent=1)


def _night(number: int, wall_s: float) -> HistoryEntry:
    figures = tuple(
        HistoryFigure(case="4k", subject=subject, metric=metric, median=value, low=value, high=value, blocks=5)
        for subject in ("cpu", "gpu")
        for metric, value in (("wall_s", wall_s + number / 500), ("output_bytes", 3e6), ("quality.psnr_y.mean", 40.0))
    )
    return HistoryEntry(
        taken_at=f"2026-01-{number + 1:02d}T03:00:00Z",
        folder=f"night-{number}",
        revision=f"{number:040x}",
        machine="a",
        figures=figures,
    )
