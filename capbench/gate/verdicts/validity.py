"""Whether the runs of a pair measure what they claim to measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from capbench.gate.curves.fold_blocks import POINTS
from capbench.gate.gate_file import GateSettings
from capbench.gate.verdicts.drift import drift_between_folders, drift_within
from capbench.gate.verdicts.pairing import PairedCase, finished, ways_of_timing
from capbench.results.run_record import FailureKind

__all__ = ["Validity", "check_validity", "texts"]


@dataclass(frozen=True, slots=True)
class Validity:
    """Why the verdicts of one paired case must not be taken at face value; all empty where they may."""

    void: tuple[str, ...] = ()
    """It is not a measurement of what was asked: no verdict at all."""
    machine: tuple[str, ...] = ()
    """The two sides ran on different machines, or the machine changed: no verdict on times and memory."""
    flawed: tuple[str, ...] = ()
    """New did not do its whole work: it can still be called worse, never the same or better."""
    not_applicable: tuple[str, ...] = ()
    """This machine cannot run one side."""
    warnings: tuple[str, ...] = ()
    """What the reader should know."""


def check_validity(pair: PairedCase, base: pd.DataFrame, new: pd.DataFrame, settings: GateSettings) -> Validity:
    """Look at everything but the figures. `base` and `new` are the whole tables, drift controls included."""
    unavailable = _unavailable(pair)
    if pair.base_runs.empty:
        unavailable = (f"there is no run of {pair.base_subject} to compare with",)
    if unavailable:
        return Validity(not_applicable=unavailable)
    void = [*_absent(pair), *_diverted(pair.base_subject, pair.base_runs), *_diverted(pair.new_subject, pair.new_runs)]
    if settings.require_gpu:
        void += _software(pair)
    drift, drift_warnings = drift_within(pair, (base,) if base is new else (base, new), settings.drift_limit)
    if not pair.side_by_side:
        drift += drift_between_folders(pair, base, new)
    return Validity(
        void=tuple(dict.fromkeys(void)),
        machine=tuple(
            dict.fromkeys(
                [
                    *_machine_changed(pair),
                    *_timed_otherwise(pair),
                    *_unsteady_clock(pair),
                    *_other_points(pair),
                    *drift,
                ]
            )
        ),
        flawed=(*_failed_checks(pair.new_runs), *_broken_thresholds(pair.new_runs)),
        warnings=(*drift_warnings, *_other_clock(pair)),
    )


def texts(value: object) -> tuple[str, ...]:
    """A cell that holds a list of texts, one text or nothing."""
    if isinstance(value, str):
        return (value,) if value else ()
    if value is None or (isinstance(value, float) and math.isnan(value)) or not hasattr(value, "__iter__"):
        return ()
    return tuple(str(part) for part in value)


def _unavailable(pair: PairedCase) -> tuple[str, ...]:
    reasons = []
    for subject, runs in ((pair.base_subject, pair.base_runs), (pair.new_subject, pair.new_runs)):
        if runs.empty or "error_kind" not in runs.columns:
            continue
        kinds = runs["error_kind"].astype(str)
        if (kinds == FailureKind.UNAVAILABLE.value).all():
            reasons.append(f"{subject} cannot run here: {runs['error'].iloc[0]}")
    return tuple(reasons)


def _absent(pair: PairedCase) -> list[str]:
    reasons = []
    for subject, runs in ((pair.base_subject, pair.base_runs), (pair.new_subject, pair.new_runs)):
        if runs.empty:
            reasons.append(f"there is no run of {subject}")
        elif finished(runs).empty:
            reasons.append(f"every run of {subject} failed: {runs['error'].iloc[0]}")
    if not reasons and pair.base.empty:
        reasons.append("no block has a finished run of both")
    return reasons


def _diverted(subject: str, runs: pd.DataFrame) -> list[str]:
    """Another path than the one asked for was timed."""
    reasons = []
    runs = finished(runs)
    if {"path_requested", "path_used"} <= set(runs.columns):
        both = runs[runs["path_requested"].notna() & runs["path_used"].notna()]
        for row in both[both["path_requested"] != both["path_used"]].itertuples():
            reasons.append(f"{subject} requested path {row.path_requested} but used path {row.path_used}")
            break
    if "fallbacks" in runs.columns:
        falls = [fall for cell in runs["fallbacks"] for fall in texts(cell)]
        reasons += [f"{subject} fell back: {fall}" for fall in dict.fromkeys(falls)]
    return reasons


def _software(pair: PairedCase) -> list[str]:
    runs = finished(pair.new_runs)
    if "adapter_is_software" not in runs.columns or not (runs["adapter_is_software"] == True).any():  # noqa: E712  a column with None
        return []
    name = (
        runs["adapter"].dropna().iloc[0] if "adapter" in runs.columns and runs["adapter"].notna().any() else "unnamed"
    )
    return [f"the gate requires a GPU, but {pair.new_subject} ran on a software adapter ({name})"]


def _machine_changed(pair: PairedCase) -> list[str]:
    if "fingerprint" not in pair.base_runs.columns or "fingerprint" not in pair.new_runs.columns:
        return []
    base, new = set(pair.base_runs["fingerprint"].dropna()), set(pair.new_runs["fingerprint"].dropna())
    if base and new and not base & new:
        return [
            "the machines differ, so absolute times do not compare: run both on one, or compare ratios with a baseline"
        ]
    return []


def _timed_otherwise(pair: PairedCase) -> list[str]:
    """Running time in slices is not what a run takes on its own, nor is that without others on its cores with them."""
    ways = [way for runs in (pair.base_runs, pair.new_runs) for way in ways_of_timing(finished(runs))]
    found = (
        ("interleave", "in slices", {interleave for interleave, _ in ways}),
        ("scheduling", "with real-time scheduling", {scheduling for _, scheduling in ways}),
    )
    return [
        f"some runs were measured {otherwise} and some were not, and their times do not compare: "
        f"run both sides with the same --{option}"
        for option, otherwise, values in found
        if len(values) > 1
    ]


def _unsteady_clock(pair: PairedCase) -> list[str]:
    """A program that says in some of its runs only when its export begins or ends."""
    sides = {pair.base_subject: pair.base_runs, pair.new_subject: pair.new_runs}
    return [
        f"{subject} was timed {' and '.join(sorted(clocks))}: let it say in every run when its export begins and ends"
        for subject, runs in sides.items()
        if len(clocks := _clocks(runs)) > 1
    ]


def _other_clock(pair: PairedCase) -> list[str]:
    """A launch that only one of two programs leaves out is no speed."""
    base, new = _clocks(pair.base_runs), _clocks(pair.new_runs)
    if not base or not new or base == new:
        return []
    sides = ((pair.base_subject, base), (pair.new_subject, new))
    timed = ", ".join(f"{subject} was timed {' and '.join(sorted(clocks))}" for subject, clocks in sides)
    return [f"the wall times are not of the same thing: {timed}"]


def _clocks(runs: pd.DataFrame) -> set[str]:
    """From where to where the runs of a program were timed; empty for the pipeline, which has a clock of its own."""
    known = finished(runs)
    if known.empty or ("path_requested" in known.columns and known["path_requested"].notna().any()):
        return set()

    def places(column: str) -> list[str]:
        marks = known[column].fillna("process") if column in known.columns else ["process"] * len(known)
        return ["its process" if mark == "process" else "its export" for mark in marks]

    pairs = zip(places("clock.begin"), places("clock.end"), strict=True)
    return {f"from the start of {begin} to the end of {end}" for begin, end in pairs}


def _broken_thresholds(runs: pd.DataFrame) -> list[str]:
    if "thresholds.failures" not in runs.columns:
        return []
    names = dict.fromkeys(name for cell in finished(runs)["thresholds.failures"] for name in texts(cell))
    return [f"thresholds of the case are not met: {', '.join(names)}"] if names else []


def _other_points(pair: PairedCase) -> list[str]:
    """Times over the points of a curve compare where the points are the same."""
    sides = [
        set(runs[POINTS].dropna().astype(str)) if POINTS in runs.columns else set()
        for runs in (finished(pair.base_runs), finished(pair.new_runs))
    ]
    if sides[0] == sides[1] or pair.base.empty:
        return []
    words = " against ".join("; ".join(sorted(side)) or "no curve" for side in sides)
    return [f"the curves have other points ({words}), so times over them do not compare"]


def _failed_checks(runs: pd.DataFrame) -> list[str]:
    runs = finished(runs)
    if "validation.passed" not in runs.columns or not (runs["validation.passed"] == False).any():  # noqa: E712
        return []
    failing = runs[runs["validation.passed"] == False]  # noqa: E712
    names: Sequence[str] = ()
    if "validation.failures" in failing.columns:
        names = list(dict.fromkeys(name for cell in failing["validation.failures"] for name in texts(cell)))
    listed = f": {', '.join(names)}" if names else ""
    return [f"the output failed validation in {len(failing)} of {len(runs)} runs{listed}"]
