"""Evidence of an output whose look is its exporter's own: files, frames, times, sound and effects, but no pixels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from capbench.quality.clip_evidence import clip_evidence, first_s, why_no_times
from capbench.quality.effects.inspect_output import inspect_output
from capbench.quality.expectation import Expectation
from capbench.quality.inspection import Inspection
from capbench.quality.measurements import LookMeasurements, Measurements, PictureMeasurements
from capbench.quality.opened_pair import hdr_of_both
from capbench.quality.reading.opened_clip import open_clip
from capbench.quality.reading.sound_envelope import listen_to_both
from capbench.quality.truth.tone_mapped_reference import tone_mapped
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.units import even_length

__all__ = ["inspect_look"]


def inspect_look(
    reference: Path,
    output: Path,
    expected: Expectation,
    look: ExpectedLook,
    *,
    on_frame: Callable[[int], None] | None = None,
) -> Inspection:
    """Decode both files once and measure the effects. `on_frame` is called with the output frames read so far.

    Raises `SourceError` and `ColourError` as `inspect_files` does.
    """
    with ExitStack() as held:
        want, got = open_clip(reference), open_clip(output)
        if expected.tone_map is not None:
            want = tone_mapped(want, got)
        hdr_of_both(want, got)
        seen, aligner = inspect_output(want, got, look, held, on_frame=on_frame)
    reference_clip, output_clip = clip_evidence(want, aligner.records, like=got), clip_evidence(got, list(seen.records))
    evidence = Measurements(
        reference=reference_clip,
        output=output_clip,
        wanted_size=expected.size or (even_length(want.size[0]), even_length(want.size[1])),
        wanted_bits=expected.bits,
        wanted_rate=expected.rate,
        marked=aligner.marked,
        small_marks=aligner.small_marks,
        aligned_by=aligner.method,
        matches=seen.matches,
        pictures=PictureMeasurements(patches=seen.patches, patch_area_px=seen.patch_area_px),
        no_pictures_reason=None,
        layers=None,
        sound=listen_to_both(
            reference,
            output,
            reference_origin_s=first_s(reference_clip),
            output_origin_s=first_s(output_clip),
        ),
        no_times_reason=why_no_times(reference_clip, output_clip),
        look=LookMeasurements(
            findings=seen.effects.findings,
            lost_frames=tuple(at for at, place in enumerate(seen.effects.placements) if place is None),
        ),
    )
    return Inspection(evidence, [])
