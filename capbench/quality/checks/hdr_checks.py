"""Does an HDR file still say that it is one, and what it was made on?"""  # noqa: D400

from __future__ import annotations

from capbench.bitstream.light_metadata import ContentLight, LightMetadata, MasteringDisplay
from capbench.quality.measurements import Measurements
from capbench.quality.reading.tags import ColourTags, name_of_code
from capbench.results import Check

__all__ = ["check_hdr"]

_NAMES = ("tags.transfer", "tags.primaries", "tags.matrix", "tags.mastering", "tags.light")


def check_hdr(evidence: Measurements) -> list[Check]:
    """Transfer, primaries, matrix, mastering display and content light level, in a fixed order.

    Of SDR they are nobody's promise: a missing transfer means BT.709, a missing gamut the matrix's, and another matrix
    may go with other codes. BT.2100 leaves PQ and HLG no choice of a matrix that an exporter could have made.
    """
    if evidence.hdr is None:
        return [Check.not_applicable(name=name, reason="the pictures are SDR") for name in _NAMES]
    wanted, found = evidence.reference.tags, evidence.output.tags
    return [
        _code("tags.transfer", "transfer", wanted.merged, found.merged),
        _code("tags.primaries", "primaries", wanted.merged, found.merged),
        _code("tags.matrix", "matrix", wanted.merged, found.merged),
        _metadata("tags.mastering", "mastering display metadata", wanted.light.mastering, found.light.mastering),
        _metadata("tags.light", "content light level", _content(wanted.light), _content(found.light)),
    ]


def _code(name: str, field: str, wanted: ColourTags, found: ColourTags) -> Check:
    want: int | None = getattr(wanted, field)
    got: int | None = getattr(found, field)
    if want is None:
        return Check.not_applicable(name=name, reason=f"the reference does not state its {field}")
    if got is None:
        return Check.failed(
            name=name, message=f"{field} lost: {name_of_code(want)} in the reference, nothing in the output", limit=want
        )
    return Check.passed_if(
        good=got == want,
        name=name,
        when_good=f"{field} {name_of_code(got)} as in the reference",
        when_bad=f"{field} changed: {name_of_code(want)} in the reference, {name_of_code(got)} in the output",
        value=got,
        limit=want,
    )


def _metadata(
    name: str, what: str, wanted: MasteringDisplay | ContentLight | None, found: MasteringDisplay | ContentLight | None
) -> Check:
    if wanted is None and found is None:
        return Check.not_applicable(name=name, reason=f"neither file has {what}")
    if found is None:
        return Check.failed(name=name, message=f"{what} lost: {wanted} in the reference, nothing in the output")
    if wanted is None:
        return Check.failed(name=name, message=f"{what} invented: {found} in the output, nothing in the reference")
    # Fractions of another container may be rounded; content light levels are whole numbers everywhere.
    is_same = (
        found.agrees(wanted)
        if isinstance(found, MasteringDisplay) and isinstance(wanted, MasteringDisplay)
        else found == wanted
    )
    return Check.passed_if(
        good=is_same,
        name=name,
        when_good=f"{what} as in the reference: {found}",
        when_bad=f"{what} changed: {wanted} in the reference, {found} in the output",
    )


def _content(light: LightMetadata) -> ContentLight | None:
    """None for zeros, which mean that nothing is known."""
    content = light.content
    return content if content is not None and (content.max_cll_cd_m2 or content.max_fall_cd_m2) else None
