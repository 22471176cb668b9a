"""Seeded mutations: of bytes, of text with what has gone wrong before, of the numbers that files are made of."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from typing import Final

from tests.fuzz.media_mutations import mutate_structure

__all__ = ["mutate"]

_LONGEST_BYTES: Final = 2 * 10**6
"""No mutation makes more of a file than this: what is looked for is not a large file."""
_NUMBERS: Final = (
    *(
        "0",
        "-1",
        "1e308",
        "-1e308",
        "1e-300",
        "nan",
        "inf",
        "-inf",
        "9" * 20,
        "9" * 5000,
        "0x" + "f" * 400,
        "1e99999999",
    ),
    *(
        "2147483648",
        "-2147483649",
        "4294967296",
        "9223372036854775807",
        "18446744073709551616",
        "16384",
        "16385",
        "1e-9",
        "0.1",
        "1/0",
        "30000/1001",
        "1_000",
        "+1",
        "007",
        "true",
        "1e30",
    ),
)
_BOX_NAMES: Final = re.compile(
    rb"moov|trak|mvhd|tkhd|mdhd|stsd|stts|ctts|stsz|stco|stsc|elst|avcC|hvcC|esds|colr|pasp|"
    rb"trun|tfhd|tfdt|sidx|idx1|strh|strf|avih|dref|edts|mdat"
)
"""Of MP4, and of AVI."""
_STRINGS: Final = (
    *(
        '""',
        '"a\\u0000b"',
        '"\\u202e"',
        "'\\x1b[31m'",
        '"' + "x" * 300 + '"',
        '"../../etc/passwd"',
        '"/dev/zero"',
        '"{source}"',
        '"/dev/stdin"',
        '"."',
        '"clips/../clips"',
        '"\u00e9\u0301 \u6f22 \U0001f3ac.mp4"',
    ),
    *(
        '"nul\u0000"',
        '"caf\u00e9"',
        "[]",
        "{}",
        "[[]]",
        "[" * 3000,
        "{a=" * 500,
        '"\\ud800"',
        "1979-05-27",
        '"30/0"',
        '"-5"',
    ),
)
_LINES: Final = (
    *(
        "[case]",
        "[[case]]",
        "[defaults]",
        "x = 1",
        "include = ['loop.toml']",
        "\ufeff",
        "\x00",
        "a.b.c.d = 1",
        "[" * 200,
    ),
    *('#EXT-X-MAP:URI="init.mp4"', "#EXTINF:1e99999999,", "#EXTINF:-1,", "#EXTINF:nan,", "#EXT-X-TARGETDURATION:-5"),
    *("#EXT-X-BYTERANGE:99999999999@0", '#EXT-X-KEY:METHOD=AES-128,URI="k"', "#EXT-X-STREAM-INF:BANDWIDTH=" + "9" * 20),
    *("#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST", "#EXT-X-START:TIME-OFFSET=1e9", "http://127.0.0.1:9/x.ts"),
    *("file:///etc/passwd", "master.m3u8", "playlist.m3u8", ".", "..", "/dev/zero", "init.mp4", "segment000.m4s?x"),
    *("#EXTINF:20000,", "#EXTINF:86400,", "#EXTINF:0,", "#EXTINF:0.000000001,", "#EXTINF:1.0,\nsegment000.m4s"),
    *("#EXT-X-DISCONTINUITY\n#EXTINF:1.0,\nsegment000.m4s", "#EXT-X-BYTERANGE:0@0", "#EXT-X-BYTERANGE:100"),
)
_A_NUMBER: Final = rb"(?<![\w.])-?\d[\d_]*(?:\.\d+)?"
_FOUR_BYTES: Final = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 8, 16)


def mutate(data: bytes, choose: random.Random, *, is_text: bool) -> bytes:
    """Between one and six mutations of `data`. The same state of `choose` gives the same bytes."""
    for _ in range(choose.choice((1, 1, 1, 2, 3, 6))):
        structured = None if is_text or choose.random() < 0.5 else mutate_structure(data, choose)
        if structured is not None:
            data = structured
            continue
        data = choose.choice(_OF_TEXT if is_text and choose.random() < 0.8 else _OF_BYTES)(data, choose)
        # Not at the end alone: what was made long once would be made long again.
        data = data[:_LONGEST_BYTES]
    return data[:_LONGEST_BYTES]


def _flip(data: bytes, choose: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(choose.choice((1, 1, 4, 32))):
        if changed:
            changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    return data[:at] + choose.randbytes(choose.choice((1, 4, 40, 400))) + data[at + choose.choice((0, 4, 40, 400)) :]


def _word(data: bytes, choose: random.Random) -> bytes:
    """Four bytes become a number that counts, sizes and times are afraid of."""
    at = choose.randrange(max(1, len(data) - 4))
    return data[:at] + choose.choice(_FOUR_BYTES).to_bytes(4, choose.choice(("big", "little"))) + data[at + 4 :]


def _box_word(data: bytes, choose: random.Random) -> bytes:
    """The same in one of the first bytes of an MP4 box, or behind an EBML element's name: where headers are."""
    names = [found.start() for found in _BOX_NAMES.finditer(data)]
    if not names:
        at = choose.randrange(min(400, max(1, len(data))))
    else:
        at = choose.choice(names) + choose.choice((-4, 0, 4, 8, 12, 16, 20, 24, 28))
    at = max(0, at)
    return data[:at] + choose.choice(_FOUR_BYTES).to_bytes(4, "big") + data[at + 4 :]


def _cut(data: bytes, choose: random.Random) -> bytes:
    return data[: choose.randrange(len(data) + 1)]


def _remove(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    return data[:at] + data[at + choose.choice((1, 16, 188, 1000)) :]


def _repeat(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    part = data[at : at + choose.choice((8, 188, 1000, 4000))]
    return data[:at] + part * choose.choice((2, 3, 20)) + data[at:]


def _move(data: bytes, choose: random.Random) -> bytes:
    a, b = choose.randrange(len(data) + 1), choose.randrange(len(data) + 1)
    length = choose.choice((16, 188, 1000))
    part = data[a : a + length]
    rest = data[:a] + data[a + length :]
    return rest[:b] + part + rest[b:]


def _number(data: bytes, choose: random.Random) -> bytes:
    return _replaced(_A_NUMBER, data, choose, _NUMBERS)


def _nudge(data: bytes, choose: random.Random) -> bytes:
    """A number becomes one near by, which is often allowed: what is computed from it then differs."""
    found = list(re.finditer(_A_NUMBER, data))
    if not found:
        return data
    match = choose.choice(found)
    text = match[0].decode().replace("_", "")
    is_whole = "." not in text
    value = float(text)
    changed = choose.choice((value + 1, value - 1, value * 2, value / 2, value * 1.01, value * 10, value / 10, -value))
    new = str(round(changed)) if is_whole and math.isfinite(changed) else repr(changed)
    return data[: match.start()] + new.encode() + data[match.end() :]


def _other(data: bytes, choose: random.Random) -> bytes:
    """A number or a string takes the value of another one in the same file."""
    pattern = choose.choice((_A_NUMBER, rb"\"[^\"\n]*\""))
    found = list(re.finditer(pattern, data))
    if not found:
        return data
    match, other = choose.choice(found), choose.choice(found)
    return data[: match.start()] + other[0] + data[match.end() :]


def _string(data: bytes, choose: random.Random) -> bytes:
    return _replaced(rb"\"[^\"\n]*\"|\[[^\[\]\n]*\]", data, choose, (*_STRINGS, *_NUMBERS))


def _key(data: bytes, choose: random.Random) -> bytes:
    return _replaced(
        rb"(?m)^\s*\"?[\w.-]+\"?(?=\s*[=:])", data, choose, ("x", '""', "a.b", "case", "name", '"\\u0000"', "[x]")
    )


def _replaced(pattern: bytes, data: bytes, choose: random.Random, values: tuple[str, ...]) -> bytes:
    found = list(re.finditer(pattern, data))
    if not found:
        return data
    match = choose.choice(found)
    return data[: match.start()] + choose.choice(values).encode(errors="surrogatepass") + data[match.end() :]


def _line(data: bytes, choose: random.Random) -> bytes:
    """A line is doubled, moved, left out, or another one comes in."""
    lines = data.splitlines(keepends=True) or [b""]
    at = choose.randrange(len(lines))
    action = choose.randrange(5)
    if action == 0:
        lines.insert(at, choose.choice(_LINES).encode() + b"\n")
    elif action == 1:
        copies = choose.choice((1, 2, 300, 10_000))
        lines[at:at] = [lines[at]] * min(copies, _LONGEST_BYTES // max(1, len(lines[at])))
    elif action == 2:
        del lines[at]
    elif action == 3:
        lines.insert(choose.randrange(len(lines)), lines.pop(at))
    else:
        lines[at] = lines[at].rstrip(b"\n") + choose.choice(_LINES).encode() + b"\n"
    return b"".join(lines)


_Mutation = Callable[[bytes, random.Random], bytes]
_OF_BYTES: Final[tuple[_Mutation, ...]] = (
    _flip,
    _flip,
    _overwrite,
    _word,
    _box_word,
    _box_word,
    _cut,
    _remove,
    _repeat,
    _move,
)
_OF_TEXT: Final[tuple[_Mutation, ...]] = (
    _number,
    _number,
    _nudge,
    _nudge,
    _nudge,
    _other,
    _other,
    _string,
    _string,
    _key,
    _line,
    _line,
)
