"""Files that are cut off, damaged, or contradict themselves."""

from __future__ import annotations

from pathlib import Path

from capbench.selftest.reencode import Remake, remake
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import Pair, register_pair, source_clip

__all__: list[str] = []


def _clean(folder: Path, name: str) -> Pair:
    source = source_clip()
    return Pair(source, remake(source, folder / f"{name}.mp4", Remake()))


@register_pair(
    name="file-truncated",
    family="file",
    defect="the file ends after two thirds: the disk was full and the error was ignored",
    caught_by=["file.decodes", "file.frame_count", "frames.last"],
    mutates=Mutates.FILE,
)
def _truncated(folder: Path) -> Pair:
    pair = _clean(folder, "file-truncated")
    content = pair.output.read_bytes()
    pair.output.write_bytes(content[: len(content) * 2 // 3])
    return pair


@register_pair(
    name="bitstream-damaged",
    family="file",
    defect="a part of the coded video is overwritten with zeros",
    caught_by=["file.decodes", "picture.local", "frames.readable"],
    mutates=Mutates.FILE,
)
def _damaged(folder: Path) -> Pair:
    pair = _clean(folder, "bitstream-damaged")
    content = bytearray(pair.output.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    pair.output.write_bytes(bytes(content))
    return pair


@register_pair(
    name="tags-disagree",
    family="file",
    defect="the container says BT.601 and the bitstream BT.709",
    caught_by=["tags.agree"],
    mutates=Mutates.FILE,
)
def _disagreeing(folder: Path) -> Pair:
    pair = _clean(folder, "tags-disagree")
    content = bytearray(pair.output.read_bytes())
    place = content.index(b"colrnclx") + 8
    content[place : place + 6] = bytes([0, 6, 0, 6, 0, 6])
    pair.output.write_bytes(bytes(content))
    return pair
