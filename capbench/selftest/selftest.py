"""Try every specimen, and every clean export."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import capbench.selftest.specimens  # noqa: F401  importing registers them
from capbench.errors import AdapterError, CapbenchError, InputError
from capbench.pipeline.gpu.device import open_device
from capbench.quality.validate import validate
from capbench.results import Check, CheckStatus
from capbench.selftest.clean import CLEAN_EXPORTS, CleanCase, try_clean_exports
from capbench.selftest.conversions import compare_conversions
from capbench.selftest.report import CleanExport, ConversionOutcome, SelfTestReport, SpecimenOutcome
from capbench.selftest.specimen import REGISTRY, FileSpecimen, Specimen

__all__ = ["run_selftest", "try_specimen"]


def run_selftest(
    names: Sequence[str] = (),
    *,
    clean: tuple[CleanCase, ...] = CLEAN_EXPORTS,
    conversions: bool = False,
    on_outcome: Callable[[SpecimenOutcome | CleanExport], None] | None = None,
    now_s: Callable[[], float] = time.perf_counter,
) -> SelfTestReport:
    """Try the named specimens, all of them when none is named, and then the clean exports.

    `conversions` adds the table of conversions against the oracle. `on_outcome` hears of each specimen and export as it
    is known. Raises `InputError` for a name that no specimen has.
    """
    unknown = [name for name in names if name not in REGISTRY]
    if unknown:
        raise InputError(f"no specimen is called {', '.join(map(repr, unknown))}; there are {', '.join(REGISTRY)}")
    started_s = now_s()
    outcomes: list[SpecimenOutcome] = []
    exports: list[CleanExport] = []
    for name in names or REGISTRY:
        # A folder each: a specimen's files are gone before the next one needs the space.
        with tempfile.TemporaryDirectory(prefix="capbench-selftest-") as folder:
            outcomes.append(try_specimen(REGISTRY[name], Path(folder)))
        if on_outcome is not None:
            on_outcome(outcomes[-1])
    with tempfile.TemporaryDirectory(prefix="capbench-selftest-") as folder:
        for export in try_clean_exports(Path(folder), clean):
            exports.append(export)
            if on_outcome is not None:
                on_outcome(export)
    return SelfTestReport(
        specimens=tuple(outcomes),
        clean=tuple(exports),
        conversions=tuple(_conversions()) if conversions else (),
        seconds=now_s() - started_s,
    )


def _conversions() -> list[ConversionOutcome]:
    try:
        gpu = open_device()
    except AdapterError:
        return list(compare_conversions(None))
    try:
        return list(compare_conversions(gpu))
    finally:
        gpu.close()


def try_specimen(specimen: Specimen, folder: Path) -> SpecimenOutcome:
    """Make one specimen in `folder` and see which checks fail. A capbench error while doing so is an outcome."""
    about = {"name": specimen.name, "family": specimen.family, "defect": specimen.defect}
    try:
        failures = _failures(specimen, folder)
    except CapbenchError as error:
        return SpecimenOutcome(**about, flagged=False, error=f"{type(error).__name__}: {error}")
    named = sorted(
        (check for check in failures if check.name in specimen.caught_by),
        key=lambda check: specimen.caught_by.index(check.name),
    )
    others = tuple(check.name for check in failures if not named or check.name != named[0].name)
    if not named:
        return SpecimenOutcome(**about, flagged=False, other_checks=others)
    return SpecimenOutcome(**about, flagged=True, check=named[0].name, sentence=named[0].message, other_checks=others)


def _failures(specimen: Specimen, folder: Path) -> list[Check]:
    if isinstance(specimen, FileSpecimen):
        pair = specimen.make(folder)
        checks: Sequence[Check] = validate(pair.reference, pair.output).checks
    else:
        checks = specimen.judge(folder)
    return [check for check in checks if check.status is CheckStatus.FAIL]
