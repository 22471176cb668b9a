"""What a chart leaves out of matplotlib's SVG, and what it keeps."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from capbench.report.charts.canvas import Canvas, chart_style
from capbench.report.charts.compact_svg import compact


def _compacted(text: str) -> str:
    root = ET.fromstring(text)
    compact(root)
    return ET.tostring(root, encoding="unicode")


def test_coordinates_keep_a_hundredth_of_a_pixel() -> None:
    found = _compacted('<svg><path d="M 1.234567 -0.000004  L 3.999999 50 " stroke="red" stroke-width="0.725"/></svg>')

    assert found == '<svg><path d="M 1.23 0 L 4 50" stroke="red" stroke-width="0.725" /></svg>'


def test_what_has_neither_fill_nor_line_goes_and_so_do_groups_that_say_nothing() -> None:
    found = _compacted(
        '<svg>\n <g>\n  <path d="M 0 0" fill="none"/>\n  <g class="dot"><title>run 1</title>'
        '<path d="M 1 1" fill="red"/></g>\n </g>\n <path d="M 2 2" fill="none" stroke="red"/>\n</svg>'
    )

    assert found == (
        '<svg><g class="dot"><title>run 1</title><path d="M 1 1" fill="red" /></g>'
        '<path d="M 2 2" fill="none" stroke="red" /></svg>'
    )


def test_shapes_that_others_refer_to_and_spaces_of_texts_stay() -> None:
    text = (
        '<svg><defs><path d="M 0 0 L 0 3" id="tick" /></defs>'
        '<clipPath id="area"><path d="M 0 0" fill="none" /></clipPath>'
        '<text>a <tspan> b </tspan> c</text><g clip-path="url(#area)"><use href="#tick" /></g></svg>'
    )

    assert _compacted(text) == text


def test_a_chart_is_compact() -> None:
    with chart_style():
        canvas = Canvas(200)
        axes = canvas.axes(left=40, top=10)
        axes.plot([0, 1, 2], [0.1234567, 0.7654321, 0.5])
        svg = str(canvas.to_svg("chart", "a line"))

    assert not re.search(r"\d\.\d{3}", re.sub(r"stroke-[a-z]+=\"[^\"]*\"", "", svg))
    assert "\n" not in svg
    assert "<g><g>" not in svg
