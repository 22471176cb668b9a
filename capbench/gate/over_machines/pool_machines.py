"""Subjects over the machines of many bundles: a number for each platform, and one for all where they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from capbench.gate.over_machines.subject_ratios import LEVEL, MachineRatio, ratios_of_bundles
from capbench.gate.statistics.nested_effects import LARGE_HETEROGENEITY, NestedEffects, nest_effects
from capbench.gate.verdicts.phrases import share_words
from capbench.results.bundle.bundle_file import BundleContents
from capbench.results.bundle.machine_pool import MachinePool, MachineResidual, PlatformRatio, PooledSubject

__all__ = ["pool_bundles"]


def pool_bundles(bundles: Sequence[BundleContents]) -> MachinePool:
    """Pool subjects as times the floor over the machines of bundles. Raises `ResultError` where nothing can be."""
    found = ratios_of_bundles(bundles)
    platforms = {machine.name: machine.platform for machine in found.machines}
    subjects = tuple(_pooled(case, subject, ratios, platforms) for (case, subject), ratios in found.ratios.items())
    used = {residual.machine for row in subjects for residual in row.residuals}
    warnings = list(found.left_out)
    revisions = {revision for machine in found.machines if machine.name in used for revision in machine.revisions}
    if len(revisions) > 1:
        warnings.append(f"machines measured {len(revisions)} revisions of what was exported: residuals may show that")
    return MachinePool(
        bundles={bundle.path.name: bundle.sha256 for bundle in bundles},
        machines=tuple(machine for machine in found.machines if machine.name in used),
        subjects=subjects,
        confidence=1 - 2 * LEVEL,
        left_out=tuple(warnings),
    )


def _pooled(case: str, subject: str, ratios: Sequence[MachineRatio], platforms: Mapping[str, str]) -> PooledSubject:
    fitted = nest_effects(
        [each.estimate for each in ratios],
        [each.error for each in ratios],
        [platforms[each.machine] for each in ratios],
    )
    why = _why_no_number(fitted)
    across = None if why else fitted.across
    return PooledSubject(
        case=case,
        subject=subject,
        platforms=tuple(
            PlatformRatio(
                platform=each.platform,
                ratio=math.exp(each.mean),
                interval=_ratios(each.interval(LEVEL)),
                machines=each.machines,
            )
            for each in fitted.platforms
        ),
        ratio=None if across is None else math.exp(across.mean),
        interval=None if across is None else _ratios(across.interval(LEVEL)),
        why_no_ratio=why,
        i_squared=fitted.i_squared,
        tau=fitted.tau_squared**0.5,
        residuals=tuple(
            MachineResidual(
                machine=each.machine,
                ratio=math.exp(each.estimate),
                interval=(math.exp(each.interval[0]), math.exp(each.interval[1])),
                blocks=each.blocks,
                residual=math.expm1(float(left)),
                standardised=float(standard),
            )
            for each, left, standard in zip(ratios, fitted.residuals, fitted.standardised, strict=True)
        ),
    )


def _why_no_number(fitted: NestedEffects) -> str:
    if fitted.across is None:
        return "a single machine measured it"
    if fitted.differs_by_platform:
        return (
            f"platforms differ by {math.expm1(fitted.spread):.1%}, heterogeneity {share_words(fitted.i_squared)} where "
            f"{LARGE_HETEROGENEITY:.0%} is the limit"
        )
    return ""


def _ratios(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))
