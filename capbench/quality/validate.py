"""Validate one file against another: inspect, decide, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from capbench.pipeline.scene import Scene, load_scene
from capbench.quality.checks.colour_checks import check_colour, find_misreading, no_ciede2000_reason, patch_errors
from capbench.quality.checks.effect_checks import OWN_LOOK, check_effects
from capbench.quality.checks.file_checks import check_file
from capbench.quality.checks.frame_checks import check_frames
from capbench.quality.checks.hdr_checks import check_hdr
from capbench.quality.checks.layer_checks import check_layers
from capbench.quality.checks.pictures.picture_checks import check_pictures
from capbench.quality.checks.sound_checks import check_sound
from capbench.quality.checks.time_checks import check_times
from capbench.quality.expectation import Expectation
from capbench.quality.inspection import Inspection, inspect_files, with_pictures_as_meant
from capbench.quality.measurements import Measurements
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS
from capbench.quality.metrics.pooling import frame_values, pool
from capbench.quality.parts.parted_meter import PartRunner
from capbench.quality.reading.clip import ClipFacts, read_facts
from capbench.quality.reading.opened_clip import upright_size
from capbench.quality.saved_frames import LOWEST_OF, with_reasons
from capbench.quality.worst_frames import FrameSaver, save_worst_frames
from capbench.results import Check, CheckStatus, ValidationReport
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.results.metric_registry import QualityMetric, choose_metrics
from capbench.units import even_length

__all__ = ["measured_metrics", "report_on", "validate", "validate_run"]

_SLOWEST_GIF, _FASTEST_GIF = Fraction(10), Fraction(20)
"""Pictures a second of a GIF that no rate was asked for: the source's, within these."""


def validate(
    reference: str | Path,
    output: str | Path,
    *,
    expected: Expectation | None = None,
    save_frames: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
    metrics: Sequence[str] | None = None,
    with_vmaf: bool = True,
    in_parts: PartRunner | None = None,
) -> ValidationReport:
    """Compare `output` with `reference`, file with file.

    `expected` says what differs on purpose. `save_frames` is a folder for the worst frames as PNG. `on_frame` is
    called with the number of output frames read so far. `metrics` are names of `capbench validate --list-metrics`, None
    for the default ones; without `with_vmaf` those that libvmaf computes are left out, which cost more than all the
    rest. With `in_parts` pairs of pictures are measured in parts, by processes or machines side by side: every figure
    is that of one piece. Raises `SourceError` where a file cannot be opened or has no video frame; anything else that
    is wrong is a check of the report. Raises `PartError` where parts would not give the figures of one piece,
    `ColourError` for HDR against SDR, `InputError` for an unknown metric, `OutputError` for `save_frames`.
    """
    expectation = expected or Expectation()
    chosen = choose_metrics(metrics)
    if expectation.look is not None:
        from capbench.quality.look_inspection import inspect_look

        inspection = inspect_look(Path(reference), Path(output), expectation, expectation.look, on_frame=on_frame)
        return report_on(inspection, metrics=chosen, with_vmaf=with_vmaf, save_frames=None)
    inspect = partial(
        inspect_files,
        Path(reference),
        Path(output),
        keep_worst=save_frames is not None,
        on_frame=on_frame,
        metrics=_measured(chosen, with_vmaf=with_vmaf),
        in_parts=in_parts,
    )
    inspection = _as_meant(_as_either_place_says(inspect, expectation), expectation)
    return report_on(inspection, metrics=chosen, with_vmaf=with_vmaf, save_frames=save_frames)


def validate_run(
    source: str | Path,
    output: str | Path,
    *,
    scene: Scene | str | Path = "bare",
    width: int | None = None,
    height: int | None = None,
    rate: Fraction | None = None,
    tone_map: str | None = None,
    save_frames: Path | None = None,
    metrics: Sequence[str] | None = None,
    with_vmaf: bool = True,
    look: ExpectedLook | None = None,
) -> ValidationReport:
    """Compare an export of `source` by a scene with what the oracle renders.

    `width`, `height` and `rate` are those requested of the export, None to keep the source's or to use a
    GIF's. An export in which nothing is drawn or scaled is compared frame by frame with the source; of any other a few
    frames are rendered, and all of them are saved where pictures are wanted. `tone_map` is how SDR was to be made of an
    HDR source. With a `look` effects are judged instead of pixels, and `scene` does not count. `metrics` and
    `with_vmaf` as in `validate`. Raises `SourceError` and `InputError` as `validate` does, `SceneError` for the scene,
    `OutputError` for `save_frames`.
    """
    chosen = choose_metrics(metrics)
    drawn = scene if isinstance(scene, Scene) else load_scene(scene)
    given, made = read_facts(Path(source)), read_facts(Path(output))
    if rate is None and made.is_gif:
        rate = min(max(given.frame_rate or Fraction(30), _SLOWEST_GIF), _FASTEST_GIF)
    upright = upright_size(Path(source))
    asked, whole = (_canvas(upright, *sides, like=made) for sides in ((width, height), (None, None)))
    # The exporter writes 8 bits by design, whatever the source has.
    expected = Expectation(size=asked, rate=rate, bits=8, tone_map=tone_map, look=look)
    if look is not None:
        from capbench.quality.look_inspection import inspect_look

        inspection = inspect_look(Path(source), Path(output), expected, look)
        return report_on(inspection, metrics=chosen, with_vmaf=with_vmaf, save_frames=None)
    # Pixels that an export resampled to square ones are only comparable with a rendering.
    keeps_pixels = given.sample_aspect in (1, made.sample_aspect) and asked == whole
    is_plain = drawn.draws_nothing and keeps_pixels
    saver = None if save_frames is None else FrameSaver(save_frames)
    inspect = partial(
        inspect_files,
        Path(source),
        Path(output),
        scene=None if is_plain else drawn,
        keep_worst=save_frames is not None,
        metrics=_measured(chosen, with_vmaf=with_vmaf),
    )
    inspection = _as_meant(_as_either_place_says(inspect, expected, saver), expected, None if is_plain else drawn)
    report = report_on(inspection, metrics=chosen, with_vmaf=with_vmaf, save_frames=save_frames)
    if saver is None:
        return report
    return report.model_copy(update={"saved_frames": with_reasons(saver.saved, report.lowest_frames)})


def _as_either_place_says(
    inspect: partial[Inspection], expected: Expectation, saver: FrameSaver | None = None
) -> Inspection:
    """Of a reference whose bitstream and container contradict each other an output is right by either.

    `inspect` is `inspect_files` of both files. What `saver` holds in the end is of the reading that counts.
    """
    inspection = inspect(expected, on_rendered=saver.save if saver else None)
    if inspection.evidence.reference.contradicting_spec is None:
        return inspection
    failed = _failed_pictures(inspection.evidence)
    if not failed:
        return inspection
    by_container = replace(expected, container_first=True)
    with nullcontext() if saver is None else saver.beside() as second:
        other = inspect(by_container, on_rendered=second.save if second else None)
        if _failed_pictures(other.evidence) >= failed:
            return inspection
        if saver is not None and second is not None:
            saver.take(second)
    return other


def _failed_pictures(evidence: Measurements) -> int:
    checks = (*check_pictures(evidence), *check_layers(evidence), *check_colour(evidence))
    return sum(check.status is CheckStatus.FAIL for check in checks)


def _as_meant(inspection: Inspection, expected: Expectation, scene: Scene | None = None) -> Inspection:
    """A wrong matrix or range is one fault: where pictures fail beside it, they are compared with it undone."""
    misreading = find_misreading(inspection.evidence)
    checks = (*check_pictures(inspection.evidence), *check_layers(inspection.evidence))
    if misreading is None or not any(check.status is CheckStatus.FAIL for check in checks):
        return inspection
    return with_pictures_as_meant(inspection, misreading, expected, scene=scene)


def _picture_checks(inspection: Inspection) -> Iterator[Check]:
    evidence = inspection.as_meant or inspection.evidence
    for check in (*check_pictures(evidence), *check_layers(evidence)):
        is_measured = check.status in (CheckStatus.PASS, CheckStatus.FAIL) and check.value is not None
        if inspection.as_meant is None or not is_measured:
            yield check
        else:
            message = f"{check.message}, after undoing the error that colour.meaning names"
            yield check.model_copy(update={"message": message})


def measured_metrics(names: Sequence[str] | None, *, with_vmaf: bool) -> tuple[QualityMetric, ...]:
    """The metrics that `validate` measures for these arguments. Raises `InputError` for an unknown one."""
    return _measured(choose_metrics(names), with_vmaf=with_vmaf)


def _measured(chosen: Sequence[QualityMetric], *, with_vmaf: bool) -> tuple[QualityMetric, ...]:
    return tuple(metric for metric in chosen if with_vmaf or not _is_vmaf(metric))


def _is_vmaf(metric: QualityMetric) -> bool:
    return metric.name in LIBVMAF_METRICS


def _canvas(
    upright: tuple[Fraction, Fraction], width: int | None, height: int | None, *, like: ClipFacts
) -> tuple[int, int]:
    """Size of an export: what was asked for; a side that was not asked for follows the source's aspect.

    `upright` is the source's size in square pixels. Of the two even numbers about a length either is right, so that is
    taken which the file `like` has.
    """
    if width is not None and height is not None:
        return width, height
    if width is not None:
        return width, _even(upright[1] * width / upright[0], like.height)
    if height is not None:
        return _even(upright[0] * height / upright[1], like.width), height
    return _even(upright[0], like.width), _even(upright[1], like.height)


def _even(length: Fraction, found: int) -> int:
    return found if found % 2 == 0 and abs(found - length) < 2 else even_length(length)


def report_on(
    inspection: Inspection,
    *,
    metrics: Sequence[QualityMetric],
    with_vmaf: bool,
    save_frames: Path | None,
) -> ValidationReport:
    """Run the checks on measurements, and show these metrics.

    Raises `OutputError` where pictures cannot be written to `save_frames`.
    """
    evidence = inspection.evidence
    sound = check_sound(evidence)
    series = evidence.pictures.series if evidence.pictures else {}
    metric_of = {column: metric for metric in metrics for column in metric.columns}
    shown = {column: frame_values(series[column], metric) for column, metric in metric_of.items() if column in series}
    measured = {column: values for column, values in shown.items() if any(value is not None for value in values)}
    return ValidationReport(
        reference=_printable(evidence.reference.facts.path),
        output=_printable(evidence.output.facts.path),
        checks=(
            *check_file(evidence),
            *check_hdr(evidence),
            *check_frames(evidence),
            *check_times(evidence, sync_is_measured=sound.offset_ms is not None),
            *sound.checks,
            *check_effects(evidence),
            *_picture_checks(inspection),
            *check_colour(evidence),
        ),
        metrics={column: pool(values, metric_of[column]) for column, values in measured.items()},
        patches=patch_errors(evidence),
        effects=() if evidence.look is None else evidence.look.findings,
        series=measured,
        lowest_frames=_lowest_frames(measured, evidence.matches),
        worst_frames=save_worst_frames(inspection.worst_pairs, evidence.output.spec, save_frames)
        if save_frames
        else (),
        av_offset_ms=sound.offset_ms,
        av_drift_ms=sound.drift_ms,
        how_measured={name: how for name, how in evidence.pictures.how.items() if name in measured}
        if evidence.pictures
        else {},
        frames_compared=sum(value is not None for value in series.get("psnr_y", ())),
        unmeasured=_unmeasured(evidence, measured, tuple(metric_of))
        | {metric.name: "it was not requested" for metric in metrics if not with_vmaf and _is_vmaf(metric)},
    )


def _lowest_frames(series: Mapping[str, Sequence[float | None]], matches: Sequence[int | None]) -> dict[str, int]:
    found = {}
    for metric in LOWEST_OF:
        known = [(value, frame) for frame, value in enumerate(series.get(metric, ())) if value is not None]
        reference_frame = matches[min(known)[1]] if known else None
        if reference_frame is not None:
            found[metric] = reference_frame
    return found


def _printable(path: Path) -> str:
    """A path as text that JSON can hold: in a locale that is not UTF-8 its bytes are not text yet."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unmeasured(evidence: Measurements, measured: Mapping[str, object], columns: Sequence[str]) -> dict[str, str]:
    if evidence.look is not None:
        why = OWN_LOOK
    elif evidence.pictures is None:
        why = evidence.no_pictures_reason or "no pictures were compared"
    elif any(value is not None for value in evidence.pictures.series["psnr_y"]):
        why = "only a few frames of a composited scene are rendered; this metric needs all of them"
    else:
        why = "the pictures are too small, or no frame was matched"
    named = evidence.pictures.unmeasured if evidence.pictures else {}
    reasons = {column: named.get(column, why) for column in columns if column not in measured}
    return reasons if evidence.hdr is None else reasons | {"ciede2000": no_ciede2000_reason(evidence.hdr)}
