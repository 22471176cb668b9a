"""Colour tags that do not fit the pixels. What is done to the pixels themselves is in `shaders`."""

from __future__ import annotations

from capbench.selftest.reencode import Remake, Tags
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import register_change

__all__: list[str] = []

register_change(
    name="range-tag-wrong",
    family="colour",
    defect="pixels use the limited range and are tagged full",
    caught_by=["colour.meaning"],
    says="limited range tagged full",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(full_range=True)),
)
register_change(
    name="matrix-tag-wrong",
    family="colour",
    defect="pixels are BT.709 and tagged BT.601",
    caught_by=["colour.meaning"],
    says="pixels are BT.709 but tagged BT.601",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(matrix=6, primaries=6, transfer=6)),
)
register_change(
    name="tags-missing",
    family="colour",
    defect="the file says nothing about its colour",
    caught_by=["tags.present"],
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(2, 2, 2, None)),
)
register_change(
    name="siting-tag-wrong",
    family="colour",
    defect="chroma is left-sited and tagged centre",
    caught_by=["colour.siting"],
    says="chroma sited left, tagged centre",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(chroma_location="center")),
)
