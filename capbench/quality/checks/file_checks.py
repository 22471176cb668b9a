"""Does the file decode, does it have the right size, and does it state what its codes mean?"""  # noqa: D400

from __future__ import annotations

from statistics import median

from capbench.quality.checks import limits
from capbench.quality.measurements import Measurements
from capbench.quality.reading.tags import ColourTags, FileTags
from capbench.results import Check
from capbench.units import even_length

__all__ = ["check_file"]

_BT601_MATRICES = frozenset({5, 6})
_CAMERA_TRANSFERS = frozenset({1, 5, 6, 14, 15})
"""BT.709, BT.601 and BT.2020 are functionally the same (ITU-T H.273, table 3); what writes BT.470BG means BT.601."""
_FIXED_MATRIX_CODECS = ("mjpeg", "vp8")
"""Codecs whose standards know one matrix (JFIF 1.02; RFC 6386, 9.2): decoders say it, and no file states it."""
_PLAIN_BITS = 8
"""No exporter keeps fewer bits."""


def check_file(evidence: Measurements) -> list[Check]:
    """Decoding, size, depth and tags in order."""
    return [
        _reference_decodes(evidence),
        _decodes(evidence),
        _size(evidence),
        _depth(evidence),
        *_tags(evidence),
    ]


def _reference_decodes(evidence: Measurements) -> Check:
    error = evidence.reference.error
    if error is None:
        return Check.passed(
            name="reference.decodes", message=f"the reference decodes: {len(evidence.reference.frames)} frames"
        )
    return Check.failed(
        name="reference.decodes",
        message=f"the reference itself is damaged: {error}; nothing after the damage is compared",
    )


def _decodes(evidence: Measurements) -> Check:
    error = evidence.output.error
    if error is None:
        return Check.passed(name="file.decodes", message=f"decodes to the end: {len(evidence.output.frames)} frames")
    return Check.failed(
        name="file.decodes", message=f"does not decode to the end: {error}", value=len(evidence.output.frames)
    )


def _size(evidence: Measurements) -> Check:
    name = "picture.size"
    width, height = evidence.output.size
    wanted_width, wanted_height = evidence.wanted_size
    source_width, source_height = evidence.reference.size
    # An odd side, and one that follows from the shape of the pixels, can only be rounded up or down to even.
    slack = 0 if evidence.reference.facts.sample_aspect == 1 else 2
    close = (
        abs(width - source_width) <= source_width % 2 + slack
        and abs(height - source_height) <= source_height % 2 + slack
    ) and evidence.wanted_size == _even(evidence.reference.size)
    if (width, height) == (wanted_width, wanted_height) or close or _is_rounded(evidence):
        return Check.passed(
            name=name,
            message=f"{width}x{height}",
            value=width * height,
            limit=wanted_width * wanted_height,
            unit="pixels",
        )
    if (height, width) == (wanted_width, wanted_height) and evidence.reference.turn.swaps_sides:
        turned = f"as if the reference's {evidence.reference.turn} were ignored"
    elif (height, width) == (wanted_width, wanted_height):
        turned = "as if rotated by 90°"
    else:
        turned = f"{width * height / (wanted_width * wanted_height):.0%} of the pixels"
        if evidence.wanted_size == _even(evidence.reference.size):
            turned += f"; if this is intended, pass --expect-size {width}x{height}"
    return Check.failed(
        name=name,
        message=f"the output is {width}x{height} instead of {wanted_width}x{wanted_height}: {turned}",
        value=width * height,
        limit=wanted_width * wanted_height,
        unit="pixels",
    )


def _is_rounded(evidence: Measurements) -> bool:
    """Whether as many pixels are coded as are wanted, and their aspect only makes up for rounding.

    FFmpeg's scaler keeps the picture's shape: of 398x224 it makes 264x148 pixels that are 0.996 times as wide as high,
    since 148 of them are 263 square ones. Both sides are rounded by up to a pixel, so the aspect by that share of each.
    """
    facts = evidence.output.facts
    coded = (facts.height, facts.width) if evidence.output.turn.swaps_sides else (facts.width, facts.height)
    off = abs(float(facts.sample_aspect) - 1)
    return coded == evidence.wanted_size and off <= 1 / facts.width + 1 / facts.height


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return even_length(size[0]), even_length(size[1])


def _depth(evidence: Measurements) -> Check:
    """Bits per sample, stated and real. A run knows that its exporter writes 8; of two files the reference's count."""
    name = "picture.depth"
    wanted, found = evidence.wanted_bits or evidence.reference.bits, evidence.output.bits
    if evidence.output.facts.is_gif:
        return Check.not_applicable(name=name, reason="a GIF has a palette of 8-bit colours")
    if (invented := found - evidence.reference.bits) > 0:
        return Check.passed(
            name=name,
            message=f"{found} bits per sample, {evidence.reference.bits} in the reference: {invented} bits invented",
            value=found,
            limit=wanted,
            unit="bits",
        )
    if evidence.reference.bits <= _PLAIN_BITS:
        return Check.not_applicable(name=name, reason=f"the reference has {evidence.reference.bits} bits per sample")
    sampled = evidence.pictures.sampled if evidence.pictures else []
    # PQ and HLG are made for 10 bits (BT.2100, table 9) and band in 8 whatever they show.
    needed = max((pair.gradient_codes for pair in sampled), default=wanted)
    if found < wanted and evidence.hdr is None and needed < limits.GRADIENT_CODES:
        return Check.not_applicable(
            name=name,
            reason=f"the output has {found} bits per sample and the reference {evidence.reference.bits}, but no "
            f"gradient that needs more than {found}",
        )
    if found < wanted:
        meant = "" if evidence.wanted_bits else f"; if this is intended, pass --expect-depth {found}"
        return Check.failed(
            name=name,
            message=f"{wanted - found} bits lost: the output has {found} bits per sample, the reference "
            f"{evidence.reference.bits}{meant}",
            value=found,
            limit=wanted,
            unit="bits",
        )
    steps = [pair.deep_step_codes for pair in sampled]
    left = found - int(median(step for step in steps if step)).bit_length() + 1 if any(steps) else found
    if left < wanted:
        return Check.failed(
            name=name,
            message=f"{found - left} bits lost: the output states {found} bits per sample, but luma has steps of "
            f"{1 << (found - left)} codes, as with {left} bits",
            value=left,
            limit=wanted,
            unit="bits",
        )
    expected = ", as expected" if found < evidence.reference.bits else ""
    return Check.passed(name=name, message=f"{found} bits per sample{expected}", value=left, limit=wanted, unit="bits")


def _tags(evidence: Measurements) -> list[Check]:
    if evidence.output.facts.holds_rgb:
        why = "the output is R'G'B' and has no matrix to state"
        return [Check.not_applicable(name=name, reason=why) for name in ("tags.present", "tags.agree")]
    tags = evidence.output.tags
    # One rule for files and runs: an output says what its reference says. Untagged pixels that mean something else
    # than the reference's are a fault of colour, and named there.
    reference = evidence.reference
    is_implied = (
        reference.facts.codec in _FIXED_MATRIX_CODECS
        and (reference.tags.container is None or not reference.tags.container.states_colour)
        and reference.spec.matrix is evidence.output.spec.matrix
    )
    required = reference.tags.merged.states_colour and not is_implied
    if reference.contradicting_spec is not None and _is_copied(reference.tags, tags):
        kept = Check.passed(
            name="tags.agree", message="bitstream and container contradict each other as the reference's do"
        )
        return [_stated(tags.merged, required), kept]
    return [_stated(tags.merged, required), _both_places(tags)]


def _is_copied(reference: FileTags, output: FileTags) -> bool:
    """Whether both places of the output state what those of the reference do, as those of a copied stream."""
    pairs = ((reference.bitstream, output.bitstream), (reference.container, output.container))
    return all(
        one is not None and other is not None and (one.matrix, one.full_range) == (other.matrix, other.full_range)
        for one, other in pairs
    )


def _stated(merged: ColourTags, required: bool) -> Check:
    name = "tags.present"
    if merged.states_colour:
        return Check.passed(name=name, message=f"the file states {merged}")
    if not required:
        return Check.not_applicable(name=name, reason="neither the reference nor the output states its colour matrix")
    return Check.failed(name=name, message="the file does not state its colour matrix, so players have to guess")


def _both_places(tags: FileTags) -> Check:
    name = "tags.agree"
    bitstream, container = tags.bitstream, tags.container
    if container is None:
        return Check.not_applicable(name=name, reason="colour tags of this container are not read")
    for field in ("matrix", "primaries", "transfer", "full_range"):
        in_stream, in_box = getattr(bitstream, field), getattr(container, field)
        if in_stream is not None and in_box is not None and not _same(field, in_stream, in_box):
            return Check.failed(
                name=name,
                message=f"the bitstream states {bitstream}, but the container {container}",
            )
    light, boxed = tags.bitstream_light, tags.container_light
    if boxed is not None and boxed.contradicts(light):
        return Check.failed(name=name, message=f"the bitstream states {light}, but the container {boxed}")
    # A missing tag contradicts nothing: FFmpeg writes no colour box if the primaries are unknown.
    places: dict[str, ColourTags] = {"bitstream": bitstream, "container": container}
    stating = [place for place, stated in places.items() if stated.states_colour]
    if len(stating) == 1:
        return Check.passed(name=name, message=f"only the {stating[0]} states the matrix")
    return Check.passed(name=name, message="bitstream and container do not contradict each other")


def _same(field: str, first: int, second: int) -> bool:
    """Whether two numbers mean one thing: BT.470BG and BT.601 have one matrix, and SDR's cameras one transfer."""
    alike = {"matrix": _BT601_MATRICES, "transfer": _CAMERA_TRANSFERS}.get(field, frozenset())
    return first == second or {first, second} <= alike
