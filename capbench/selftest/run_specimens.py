"""Try every specimen, and every clean export."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import capbench.selftest.specimens  # noqa: F401  importing registers them
from capbench.errors import AdapterError, CapbenchError, InputError, UnavailableError
from capbench.pipeline.gpu.device import open_device
from capbench.results import CheckStatus
from capbench.selftest.conversion_table import compare_conversions
from capbench.selftest.negative_controls import CLEAN_EXPORTS, CleanCase, try_clean_exports
from capbench.selftest.selftest_report import CleanExport, ConversionOutcome, SelfTestReport, SpecimenOutcome
from capbench.selftest.specimen import REGISTRY, Specimen

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
        raise InputError(f"unknown specimen {', '.join(map(repr, unknown))}; available: {', '.join(REGISTRY)}")
    started_s = now_s()
    outcomes: list[SpecimenOutcome] = []
    exports: list[CleanExport] = []
    for outcome in _try_all([REGISTRY[name] for name in names or REGISTRY]):
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
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


def _try_all(specimens: Sequence[Specimen]) -> Iterator[SpecimenOutcome]:
    """Outcomes in order. Other processes prepare the next ones meanwhile, one at a time."""
    with tempfile.TemporaryDirectory(prefix="capbench-selftest-") as root:
        folders = {specimen.name: Path(root, specimen.name) for specimen in specimens}
        preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mutants")
        try:
            ready: dict[str, Future[None]] = {}
            for specimen in specimens:
                folders[specimen.name].mkdir()
                if specimen.prepare is not None:
                    ready[specimen.name] = preparing.submit(specimen.prepare, folders[specimen.name])
            for specimen in specimens:
                yield try_specimen(specimen, folders[specimen.name], prepared=ready.get(specimen.name))
                shutil.rmtree(folders[specimen.name])  # the next ones need the space
        finally:
            preparing.shutdown(cancel_futures=True)


def try_specimen(specimen: Specimen, folder: Path, *, prepared: Future[None] | None = None) -> SpecimenOutcome:
    """Make one specimen in `folder` and see which checks fail. A capbench error while doing so is an outcome.

    `prepared` is the end of the specimen's `prepare`, for one that was started before.
    """
    about: dict[str, Any] = {
        "name": specimen.name,
        "family": specimen.family,
        "defect": specimen.defect,
        "mutates": specimen.mutates,
    }
    try:
        if prepared is not None:
            prepared.result()
        elif specimen.prepare is not None:
            specimen.prepare(folder)
        failures = [check for check in specimen.judge(folder) if check.status is CheckStatus.FAIL]
    except CapbenchError as error:
        return SpecimenOutcome(
            **about,
            flagged=False,
            error=f"{type(error).__name__}: {error}",
            unavailable=isinstance(error, UnavailableError),
        )
    named = sorted(
        (check for check in failures if check.name in specimen.caught_by and specimen.says in check.message),
        key=lambda check: specimen.caught_by.index(check.name),
    )
    others = tuple(check.name for check in failures if not named or check.name != named[0].name)
    if not named:
        return SpecimenOutcome(**about, flagged=False, other_checks=others)
    return SpecimenOutcome(**about, flagged=True, check=named[0].name, sentence=named[0].message, other_checks=others)
