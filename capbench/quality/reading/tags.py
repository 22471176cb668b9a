"""What a file says about its colour, in the bitstream and in the container, read apart from each other.

FFmpeg merges the two when it opens a file, so neither can be had from it alone: the container's `colr` box is read here
(ISO/IEC 14496-12, 12.1.5; QuickTime calls it the same), and the bitstream is asked by decoding its first picture in a
context that never saw the container. So is Matroska's Colour element (RFC 9559, 5.1.4.1.28.16). What FFmpeg knows of
other containers counts where both are silent: it is the container's then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import av

from capbench.bitstream import CENTRED_CODECS, SITED_CODECS, chroma_location, rows_down
from capbench.bitstream.light_metadata import LightMetadata, light_metadata_of_boxes
from capbench.bitstream.matroska_colour import MatroskaColour, find_matroska_colour
from capbench.bitstream.mp4_boxes import find_colour_box, find_entry_boxes
from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.decode.hdr.frame_metadata import HDR_TRANSFERS, light_metadata_of_frame
from capbench.pipeline.decode.open_source import open_source, video_stream

__all__ = ["ColourTags", "FileTags", "is_sited", "name_of_code", "read_tags", "respecified", "spec_of"]

_UNSPECIFIED = 2
_MATRIX_OF_CODE = {
    1: MatrixCoefficients.BT709,
    5: MatrixCoefficients.BT601,
    6: MatrixCoefficients.BT601,
    9: MatrixCoefficients.BT2020,
}
_NAMES = {1: "BT.709", 2: "unspecified", 5: "BT.470BG", 6: "BT.601", 9: "BT.2020", 13: "sRGB", 16: "PQ", 18: "HLG"}
_FULL_RANGE_OF_CODE = {1: False, 2: True}
_PACKETS_TO_TRY = 60
"""Two seconds at 30 fps: a decoder that has shown nothing by then does not start at the beginning."""
_HD_LINES = 720
_CENTRE = 1


@dataclass(frozen=True, slots=True)
class ColourTags:
    """Code points of ISO/IEC 23091-2 (ITU-T H.273) as one place states them; None where it is silent."""

    primaries: int | None = None
    """Colour primaries."""
    transfer: int | None = None
    """Transfer characteristics."""
    matrix: int | None = None
    """Matrix coefficients."""
    full_range: bool | None = None
    """Whether codes use the full range."""
    chroma_location: int | None = None
    """`chroma_sample_loc_type` of H.264 and HEVC: 0 left, 1 centre, 2 top left, 3 top."""

    @property
    def hdr(self) -> str | None:
        """`PQ` or `HLG`; None for any other transfer, and for none."""
        return HDR_TRANSFERS.get(self.transfer or 0)

    @property
    def states_colour(self) -> bool:
        """Whether the matrix, which pictures cannot be read without, is stated."""
        return self.matrix is not None

    def __str__(self) -> str:
        extent = {None: "unspecified", True: "full", False: "limited"}[self.full_range]
        return (
            f"matrix {name_of_code(self.matrix)}, primaries {name_of_code(self.primaries)}, "
            f"transfer {name_of_code(self.transfer)}, range {extent}"
        )


@dataclass(frozen=True, slots=True)
class FileTags:
    """The two places of a file that state colour."""

    bitstream: ColourTags
    """What the coded video says."""
    container: ColourTags | None
    """What the container says; None where the format has no place for it that is read here."""
    opened: ColourTags = field(default_factory=ColourTags)
    """What FFmpeg says on opening the file, from either place: a disagreement cannot be seen in it."""
    bitstream_light: LightMetadata = field(default_factory=LightMetadata)
    """Mastering display and content light level as the coded video states them."""
    container_light: LightMetadata | None = None
    """The same of the container; None where the format has no place for it that is read here."""
    opened_light: LightMetadata = field(default_factory=LightMetadata)
    """The same as FFmpeg gives it with the first picture, from either place."""

    @property
    def light(self) -> LightMetadata:
        """What a player that reads both goes by: the bitstream first."""
        return self.bitstream_light.or_else(self.container_light or LightMetadata()).or_else(self.opened_light)

    @property
    def merged(self) -> ColourTags:
        """What a player that reads both goes by: the bitstream first, as FFmpeg's decoders do."""
        return _merged(self.bitstream, self.container, self.opened)

    def contradicting_spec(self, height: int) -> ColourSpec | None:
        """How a player that asks the container first reads matrix and range; None where that is the same.

        FFmpeg's decoders and browsers go by the bitstream, GStreamer and MLT by the container: which of them the author
        of the file meant nobody can say.
        """
        usual = spec_of(self.merged, height)
        if self.container is None:
            return None
        first = spec_of(_merged(self.container, self.bitstream, self.opened), height)
        other = replace(usual, matrix=first.matrix, range=first.range)
        return None if other == usual else other


def _merged(*places: ColourTags | None) -> ColourTags:
    """What the first place states, and where it is silent the next."""
    merged = ColourTags()
    for place in places:
        for name in ("primaries", "transfer", "matrix", "full_range", "chroma_location"):
            if place is not None and getattr(merged, name) is None:
                merged = replace(merged, **{name: getattr(place, name)})
    return merged


def name_of_code(code: int | None) -> str:
    """A code point of primaries, transfer or matrix in words."""
    return "unspecified" if code is None else _NAMES.get(code, str(code))


def spec_of(tags: ColourTags, height: int) -> ColourSpec:
    """How a player reads pictures with these tags: untagged means BT.709 from 720 lines up, BT.601 below, limited."""
    guess = MatrixCoefficients.BT709 if height >= _HD_LINES else MatrixCoefficients.BT601
    return ColourSpec(
        matrix=guess if tags.matrix is None else _MATRIX_OF_CODE.get(tags.matrix, guess),
        range=Range.FULL if tags.full_range else Range.LIMITED,
        siting=ChromaSiting.CENTRE if (tags.chroma_location or 0) % 2 else ChromaSiting.LEFT,
        siting_down=rows_down(tags.chroma_location),
    )


def is_sited(codec: str, tags: FileTags) -> bool:
    """Whether a file says where its chroma lies, or its codec's standard does; `codec` is FFmpeg's name."""
    return codec in SITED_CODECS or tags.merged.chroma_location is not None


def respecified(spec: ColourSpec, frame: av.VideoFrame) -> ColourSpec:
    """How a player reads one frame of a file that it reads as `spec`: by the frame's own tags, where it has some."""
    if frame.format.is_rgb or frame.format.has_palette:
        return spec
    matrix = _MATRIX_OF_CODE.get(int(frame.colorspace), spec.matrix)
    full = _range(frame)
    extent = spec.range if full is None else Range.FULL if full else Range.LIMITED
    return replace(spec, matrix=matrix, range=extent)


def read_tags(path: Path) -> FileTags:
    """Tags of a file's first video stream. The file is known to open; a picture that does not decode gives no tags."""
    with open_source(path) as container:
        stream = video_stream(path, container)
        codec = stream.codec_context.name
        opened = _opened_tags(stream.codec_context)
        bitstream, bitstream_light = _bitstream_tags(container, stream)
        location = _CENTRE if codec in CENTRED_CODECS else chroma_location(codec, stream.codec_context.extradata or b"")
        formats = container.format.name.split(",")
        in_boxes = any(name in formats for name in ("mp4", "mov"))
        in_elements = any(name in formats for name in ("matroska", "webm"))
    # The place in other containers, such as Matroska's, shows with the pictures alone.
    container_light = light_metadata_of_boxes(find_entry_boxes(path)) if in_boxes else None
    return FileTags(
        bitstream=replace(bitstream, chroma_location=location),
        container=_box_tags(find_colour_box(path))
        if in_boxes
        else _element_tags(find_matroska_colour(path), codec)
        if in_elements
        else None,
        opened=opened,
        bitstream_light=bitstream_light,
        container_light=container_light,
        opened_light=LightMetadata() if in_boxes else _opened_light(path),
    )


def _opened_tags(context: av.VideoCodecContext) -> ColourTags:
    """To be asked before anything decodes: ProRes' decoder, for one, then forgets what the container said."""
    return ColourTags(
        primaries=_stated(context.color_primaries),
        transfer=_stated(context.color_trc),
        matrix=_stated(context.colorspace),
        full_range=_FULL_RANGE_OF_CODE.get(int(context.color_range)),
    )


def _opened_light(path: Path) -> LightMetadata:
    with open_source(path) as container:
        stream = video_stream(path, container)
        try:
            for count, packet in enumerate(container.demux(stream)):
                for frame in packet.decode():
                    return light_metadata_of_frame(frame)
                if count >= _PACKETS_TO_TRY:
                    break
        except av.FFmpegError:
            return LightMetadata()  # reported where its pictures are read
    return LightMetadata()


def _bitstream_tags(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[ColourTags, LightMetadata]:
    # A new codec context has the sequence headers and nothing from the container.
    context = av.CodecContext.create(stream.codec_context.codec.name, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.extradata = stream.codec_context.extradata
    try:
        for count, packet in enumerate(container.demux(stream)):
            for frame in context.decode(packet):
                tags = ColourTags(
                    primaries=_stated(frame.color_primaries),
                    transfer=_stated(frame.color_trc),
                    matrix=_stated(frame.colorspace),
                    full_range=_range(frame),
                )
                return tags, light_metadata_of_frame(frame)
            if count >= _PACKETS_TO_TRY:
                break
    except av.FFmpegError:
        pass  # that the file does not decode is reported where its pictures are read
    return ColourTags(), LightMetadata()


def _range(frame: av.VideoFrame) -> bool | None:
    if frame.format.name.startswith("yuvj"):
        return True
    return _FULL_RANGE_OF_CODE.get(int(frame.color_range))


def _stated(code: int) -> int | None:
    return None if int(code) in (_UNSPECIFIED, 0) else int(code)


def _element_tags(colour: MatroskaColour | None, codec: str) -> ColourTags:
    if colour is None:
        return ColourTags()
    # Where the codec's standard says it, decoders do not ask the container.
    location = None if codec in SITED_CODECS else colour.chroma_location
    return ColourTags(colour.primaries, colour.transfer, colour.matrix, colour.full_range, chroma_location=location)


def _box_tags(box: bytes | None) -> ColourTags:
    """`nclx` of MP4 and `nclc` of QuickTime: three 16-bit code points; only the first adds a bit for the range."""
    if box is None or len(box) < 10 or box[:4] not in (b"nclx", b"nclc"):
        return ColourTags()
    primaries, transfer, matrix = (int.from_bytes(box[at : at + 2], "big") for at in (4, 6, 8))
    full = bool(box[10] & 0x80) if box[:4] == b"nclx" and len(box) > 10 else None
    return ColourTags(_stated(primaries), _stated(transfer), _stated(matrix), full)
