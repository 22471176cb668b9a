"""Mutations of media files by their structure: boxes of MP4, packets and times of transport streams, EBML elements.

Bits that are flipped anywhere mostly hit compressed pictures. What decides allocations, waits and loops are a few dozen
numbers, which are set here to what such numbers are afraid of, in files whose sizes still fit.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["mutate_structure"]

_TS_BYTES: Final = 188
_TIMED_PES: Final = re.compile(rb"\x00\x00\x01[\xc0-\xef]..[\x80-\x8f][\x80-\xff].", re.DOTALL)
"""The head of a packet of sound or picture up to its first time, which is 5 bytes (ISO/IEC 13818-1, 2.4.3.7)."""
_CONTAINERS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf", b"mvex"}
)
_HEADER_BYTES: Final = 8
_UNITY: Final = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_MATRICES: Final = (
    (0,) * 9,
    (-1 << 16, *_UNITY[1:]),
    (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30),
    (2**31 - 1,) * 9,
    (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30),
)
"""Display matrices (ISO/IEC 14496-12, 6.2.2): zero, mirrored, by 45 degrees, huge, by 90 degrees."""
_EBML_NUMBERS: Final = {
    b"\x2a\xd7\xb1": "TimestampScale",
    b"\x44\x89": "Duration",
    b"\xb5": "SamplingFrequency",
    b"\x9f": "Channels",
    b"\x62\x64": "BitDepth",
    b"\xb0": "PixelWidth",
    b"\xba": "PixelHeight",
    b"\x54\xb0": "DisplayWidth",
    b"\x54\xba": "DisplayHeight",
    b"\x56\xaa": "CodecDelay",
    b"\x56\xbb": "SeekPreRoll",
    b"\xe7": "Timestamp",
    b"\x9b": "BlockDuration",
    b"\x23\xe3\x83": "DefaultDuration",
    b"\x75\xa2": "DiscardPadding",
    b"\xd7": "TrackNumber",
    b"\x83": "TrackType",
}
"""Elements of Matroska (RFC 9559) that hold a number."""
_BLOCK: Final = re.compile(rb"\xa3(?:[\x81-\xff]|[\x40-\x7f].|[\x20-\x3f]..|\x01.{7})[\x81-\x84]", re.DOTALL)
"""The head of a SimpleBlock up to its track number; behind it are two bytes of time."""


def mutate_structure(data: bytes, choose: random.Random) -> bytes | None:
    """One mutation of the file's structure; None for a file of another kind."""
    if data[4:8] == b"ftyp":
        return choose.choice(_OF_MP4)(data, choose)
    if data[:1] == b"G" and data[_TS_BYTES : _TS_BYTES + 1] == b"G":
        return choose.choice(_OF_TS)(data, choose)
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return choose.choice(_OF_EBML)(data, choose)
    return None


def _edge(bits: int, choose: random.Random) -> int:
    """A number of so many bits, unsigned: the ends, what is one beside them, a power of two, a small number."""
    power, largest = 1 << choose.randrange(bits), (1 << bits) - 1
    return choose.choice((0, 1, largest, largest >> 1, (largest >> 1) + 1, power, power - 1, 16384, 255)) & largest


@dataclass(slots=True)
class _Box:
    kind: bytes
    body: bytes = b""
    inside: list[_Box] = field(default_factory=list)

    def packed(self) -> bytes:
        body = b"".join(box.packed() for box in self.inside) if self.kind in _CONTAINERS else self.body
        return (len(body) + _HEADER_BYTES).to_bytes(4, "big") + self.kind + body

    def all_inside(self) -> list[_Box]:
        return [each for box in self.inside for each in (box, *box.all_inside())]


def _boxes(data: bytes) -> list[_Box]:
    """A box of 64 bits or without a size takes the rest."""
    found, at = [], 0
    while at + _HEADER_BYTES <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + size if _HEADER_BYTES <= size <= len(data) - at else len(data)
        kind, body = data[at + 4 : at + 8], data[at + 8 : end]
        found.append(_Box(kind, b"" if kind in _CONTAINERS else body, _boxes(body) if kind in _CONTAINERS else []))
        at = end
    return found


def _mp4_word(data: bytes, choose: random.Random) -> bytes:
    """A number of a header or a table."""

    def change(leaves: list[_Box]) -> None:
        with_words = [leaf for leaf in leaves if len(leaf.body) >= 4]
        if not with_words:
            return
        box = choose.choice(with_words)
        words = len(box.body) // 4
        at = 4 * choose.randrange(min(words, 24) if choose.random() < 0.8 else words)
        box.body = box.body[:at] + _edge(32, choose).to_bytes(4, "big") + box.body[at + 4 :]

    return _with_leaves(data, change)


def _mp4_half_word(data: bytes, choose: random.Random) -> bytes:
    """Channels, bits, sizes and rates of a sample description have two bytes, at odd places."""

    def change(leaves: list[_Box]) -> None:
        box = choose.choice([leaf for leaf in leaves if leaf.kind in (b"stsd", b"tkhd", b"mdhd")] or leaves)
        at = choose.randrange(max(1, min(len(box.body) - 2, 100)))
        box.body = box.body[:at] + _edge(16, choose).to_bytes(2, "big") + box.body[at + 2 :]

    return _with_leaves(data, change)


def _mp4_matrix(data: bytes, choose: random.Random) -> bytes:
    def change(leaves: list[_Box]) -> None:
        for box in leaves:
            if box.kind == b"tkhd" and len(box.body) >= 76:
                box.body = box.body[:40] + struct.pack(">9i", *choose.choice(_MATRICES)) + box.body[76:]

    return _with_leaves(data, change)


def _mp4_edits(data: bytes, choose: random.Random) -> bytes:
    """An edit list of another kind: hours of nothing, backwards, a thousand times the same, other rates."""

    def change(leaves: list[_Box]) -> None:
        lists = [leaf for leaf in leaves if leaf.kind == b"elst"]
        if not lists:
            return
        one = struct.pack(">IiI", _edge(32, choose), choose.choice((-1, 0, 1, _edge(31, choose))), 1 << 16)
        other = struct.pack(">IiI", 400, 0, _edge(32, choose))
        entries = choose.choice(([one], [one, one], [one] * 1000, [one, other]))
        choose.choice(lists).body = bytes(4) + len(entries).to_bytes(4, "big") + b"".join(entries)

    return _with_leaves(data, change)


def _mp4_exchange(data: bytes, choose: random.Random) -> bytes:
    """A table takes the content of another one: the times of the picture for the sound, sizes for offsets."""

    def change(leaves: list[_Box]) -> None:
        one = choose.choice(leaves)
        alike = [leaf for leaf in leaves if leaf.kind == one.kind and leaf is not one] or leaves
        other = choose.choice(alike if choose.random() < 0.7 else leaves)
        one.body, other.body = other.body, one.body if choose.random() < 0.5 else other.body

    return _with_leaves(data, change)


def _mp4_tree(data: bytes, choose: random.Random) -> bytes:
    """A box is left out, doubled, or moves within its parent."""
    top = _boxes(data)
    parents = [top, *(box.inside for each in top for box in (each, *each.all_inside()) if box.inside)]
    inside = choose.choice(parents)
    if inside:
        at = choose.randrange(len(inside))
        action = choose.randrange(3)
        if action == 0:
            del inside[at]
        elif action == 1:
            inside[at:at] = [inside[at]] * choose.choice((1, 1, 40))
        else:
            inside.insert(choose.randrange(len(inside)), inside.pop(at))
    return b"".join(box.packed() for box in top)


def _with_leaves(data: bytes, change: Callable[[list[_Box]], None]) -> bytes:
    """`change` what boxes of the index hold. The media come first in a file that was just recorded: they stay."""
    top = _boxes(data)
    leaves = [box for each in top for box in (each, *each.all_inside()) if not box.inside and box.kind != b"mdat"]
    if leaves:
        change(leaves)
    return b"".join(box.packed() for box in top)


def _ts_time(data: bytes, choose: random.Random) -> bytes:
    """The time of one frame of a transport stream, or of all behind it."""
    changed = bytearray(data)
    places = [found.end() for found in _TIMED_PES.finditer(data) if found.end() + 5 <= len(data)]
    if not places:
        return data
    first = choose.randrange(len(places))
    time = _ts_pts(changed, places[first])
    moved = time + 90_000 * choose.choice((-5, 5))
    new = choose.choice((_edge(33, choose), time ^ (1 << choose.randrange(33)), moved))
    for at in places[first:] if choose.random() < 0.3 else places[first : first + 1]:
        _set_ts_pts(changed, at, _ts_pts(changed, at) + new - time)
    return bytes(changed)


def _ts_pts(data: bytearray, at: int) -> int:
    a, b, c, d, e = data[at : at + 5]
    return (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1


def _set_ts_pts(data: bytearray, at: int, pts: int) -> None:
    pts %= 1 << 33
    marks = data[at] & 0xF1
    data[at : at + 5] = bytes(
        (marks | pts >> 30 << 1, pts >> 22 & 255, (pts >> 15 & 127) << 1 | 1, pts >> 7 & 255, (pts & 127) << 1 | 1)
    )


def _ts_packets(data: bytes, choose: random.Random) -> bytes:
    """Whole packets are lost, doubled, emptied, exchanged, or get another stream's number."""
    packets = [data[at : at + _TS_BYTES] for at in range(0, len(data), _TS_BYTES)]
    at = choose.randrange(len(packets))
    count = choose.choice((1, 1, 3, 20))
    action = choose.randrange(5)
    if action == 0:
        del packets[at : at + count]
    elif action == 1:
        packets[at:at] = packets[at : at + 1] * count
    elif action == 2:
        packets[at : at + count] = [packet[:4] + b"\xff" * (len(packet) - 4) for packet in packets[at : at + count]]
    elif action == 3:
        other = choose.randrange(len(packets))
        packets[at], packets[other] = packets[other], packets[at]
    else:
        other = choose.randrange(len(packets))
        packets[at] = packets[at][:1] + packets[other][1:3] + packets[at][3:]
    return b"".join(packets)


def _ebml_number(data: bytes, choose: random.Random) -> bytes:
    """The number that an element holds, at its length."""
    name = choose.choice(list(_EBML_NUMBERS))
    found = [
        match.end()
        for match in re.finditer(re.escape(name) + rb"[\x81-\x88]", data)
        if match.end() + (data[match.end() - 1] & 0x7F) <= len(data)
    ]
    if not found:
        return data
    at = choose.choice(found[:4])  # behind the headers the same bytes are mostly something else
    size = data[at - 1] & 0x7F
    if name in (b"\xb5", b"\x44\x89") and size in (4, 8):
        number = choose.choice((0.0, -1.0, 1.0, 4e9, 1e300, float("nan"), float("inf"), 1e-300, 8000.5))
        new = struct.pack(">d", number) if size == 8 else struct.pack(">f", max(-3e38, min(number, 3e38)))
    else:
        new = _edge(8 * size, choose).to_bytes(size, "big")
    return data[:at] + new + data[at + size :]


def _block_time(data: bytes, choose: random.Random) -> bytes:
    """The time of a block within its cluster, or the track that it belongs to."""
    heads = [found.end() for found in _BLOCK.finditer(data) if found.end() + 2 <= len(data)]
    if not heads:
        return data
    at = choose.choice(heads)
    if choose.random() < 0.3:
        return data[: at - 1] + bytes([0x80 | choose.choice((0, 1, 2, 3, 127))]) + data[at:]
    return data[:at] + _edge(16, choose).to_bytes(2, "big") + data[at + 2 :]


_Mutation = Callable[[bytes, random.Random], bytes]
_OF_MP4: Final[tuple[_Mutation, ...]] = (
    _mp4_word,
    _mp4_word,
    _mp4_word,
    _mp4_half_word,
    _mp4_matrix,
    _mp4_edits,
    _mp4_exchange,
    _mp4_tree,
)
_OF_TS: Final[tuple[_Mutation, ...]] = (_ts_time, _ts_time, _ts_packets)
_OF_EBML: Final[tuple[_Mutation, ...]] = (_ebml_number, _ebml_number, _block_time)
