"""Charts as SVG in one style, drawn by matplotlib without its global state and recoloured by the page's theme.

matplotlib draws in the light theme's colours. Afterwards every colour becomes `var(--token)`, so that one picture
serves both themes, and every `style` attribute becomes plain attributes, so that the page needs no `unsafe-inline`.
Names given by users never reach matplotlib: it sees a placeholder, and the name is written into the finished tree as
text. That keeps `$` from being read as mathematics and glyphs that the drawing font lacks from being lost.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from capbench.report.charts.compact_svg import compact
from capbench.report.palette import LIGHT
from capbench.report.wording import shorten

__all__ = ["CHART_WIDTH_PX", "Canvas", "Chart", "chart_style", "is_drawable"]

CHART_WIDTH_PX = 440
"""Width of a chart's own coordinates: two beside each other on a desktop, one across a phone at a readable size."""

_LARGEST_DRAWN = 1e30
"""Beyond it nothing was measured, and the drawing library's sums overflow."""
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_TOKENS = {colour: token for token, colour in LIGHT.items()}
_PLACEHOLDER = re.compile(r"\{label (\d+)\}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"(?:(?P<weight>\d+) )?(?P<size>[\d.]+px)")
_TEXT_PROPERTIES_LEFT_TO_CSS = {"font-family"}

_STYLE: Any = {  # rcParams: matplotlib's stub lists every key, a plain dict has no such type
    "svg.fonttype": "none",
    "svg.hashsalt": "capbench",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "axes.labelcolor": LIGHT["quiet"],
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["axis"],
    "ytick.color": LIGHT["axis"],
    "xtick.labelcolor": LIGHT["quiet"],
    "ytick.labelcolor": LIGHT["quiet"],
    "axes.edgecolor": LIGHT["axis"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "hatch.linewidth": 1.0,
    "path.simplify": True,
}


@contextmanager
def chart_style() -> Iterator[None]:
    """The shared style, for the time of drawing and saving."""
    with mpl.rc_context(_STYLE):
        yield


def is_drawable(value: float) -> bool:
    """Whether an axis can hold a figure of a file."""
    return abs(value) <= _LARGEST_DRAWN  # not of what is no number


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished chart. `svg` is safe to put in a page; `reading` says in words what it shows."""

    title: str
    """What is shown, with the unit."""
    svg: Markup
    """An `svg` element."""
    reading: str
    """The sentence under the chart, which is also its text alternative."""


@dataclass(slots=True)
class Canvas:
    """A figure measured in pixels, and what must be written into its SVG once it is drawn."""

    height_px: float
    """Height of the chart's own coordinates."""
    width_px: float = CHART_WIDTH_PX
    """Width of the chart's own coordinates."""
    for_png: bool = False
    """Draw names themselves: a bitmap has no text that could be replaced."""
    figure: Figure = field(init=False)
    """The figure; add axes with `axes`."""
    _labels: list[str] = field(init=False, default_factory=list)
    _tips: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width_px / 72, self.height_px / 72), dpi=72)

    def axes(self, *, left: float, top: float, right: float = 16, bottom: float = 40) -> Axes:
        """Axes with margins in pixels."""
        width = max(self.width_px - left - right, 1) / self.width_px
        height = max(self.height_px - top - bottom, 1) / self.height_px
        return self.figure.add_axes((left / self.width_px, bottom / self.height_px, width, height))

    def label(self, name: str, limit: int = 22) -> str:
        """Stand-in for a name from outside: draw this, the shortened name takes its place in the SVG."""
        if self.for_png:
            return shorten(name, limit)
        self._labels.append(shorten(name, limit))
        return f"{{label {len(self._labels) - 1}}}"

    def tip(self, run_id: str, words: str) -> str:
        """Stand-in URL for a mark: it becomes `data-run` with a tooltip."""
        self._tips[run_id] = words
        return run_id

    def to_svg(self, prefix: str, alt: str) -> Markup:
        """The SVG element, recoloured, without identifiers that could collide with another chart's."""
        buffer = io.StringIO()
        FigureCanvasSVG(self.figure).print_svg(  # type: ignore[no-untyped-call]
            buffer, metadata={"Date": None}
        )
        root = ET.fromstring(buffer.getvalue().encode())  # noqa: S314  our own text, just drawn
        _drop(root, {f"{_SVG}metadata", f"{_SVG}style"})
        kept = _referenced_ids(root)
        for element in root.iter():
            _clean(element, prefix, kept)
            _relabel(element, self._labels)
            _link_to_run(element, self._tips)
        root.attrib.pop("width", None)
        root.attrib.pop("height", None)
        root.attrib |= {"role": "img", "aria-label": alt, "class": "chart"}
        _strip_namespace(root)
        compact(root)
        return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  text nodes are escaped by the writer

    def to_png(self, scale: float) -> bytes:
        """The same figure as PNG on the light theme's page colour."""
        buffer = io.BytesIO()
        self.figure.set_dpi(72 * scale)
        FigureCanvasAgg(self.figure).print_png(  # type: ignore[no-untyped-call]
            buffer, metadata={"Software": None}
        )
        return buffer.getvalue()


def _drop(root: ET.Element, tags: set[str]) -> None:
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in tags]:
            parent.remove(child)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == f"{_SVG}defs" and not len(child)]:
            parent.remove(child)


def _referenced_ids(root: ET.Element) -> set[str]:
    found: set[str] = set()
    for element in root.iter():
        target = element.get(f"{_XLINK}href", "")
        if target.startswith("#"):
            found.add(target[1:])
        for value in element.attrib.values():
            found.update(_REFERENCE.findall(value))
    return found


def _clean(element: ET.Element, prefix: str, kept: set[str]) -> None:
    """Turn `style` into attributes, colours into tokens, and keep only identifiers that something refers to."""
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if name.strip() == "font" and (font := _FONT.search(value)):  # how matplotlib before 3.10 writes it
            element.set("font-size", font["size"])
            element.set("font-weight", font["weight"] or "400")
        elif name.strip() and name.strip() not in _TEXT_PROPERTIES_LEFT_TO_CSS:
            element.set(name.strip(), value.strip())
    for name in ("fill", "stroke"):
        token = _TOKENS.get(element.get(name, ""))
        if token:
            element.set(name, f"var(--{token})")
    identifier = element.attrib.pop("id", None)
    if identifier in kept:
        element.set("id", f"{prefix}-{identifier}")
    for name, value in list(element.attrib.items()):
        if name == f"{_XLINK}href" and value.startswith("#"):
            del element.attrib[name]
            element.set("href", f"#{prefix}-{value[1:]}")
        elif "url(#" in value:
            element.set(name, _REFERENCE.sub(rf"url(#{prefix}-\1)", value))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _relabel(element: ET.Element, labels: list[str]) -> None:
    if element.text:
        element.text = _PLACEHOLDER.sub(lambda match: labels[int(match[1])], element.text)


def _link_to_run(element: ET.Element, tips: Mapping[str, str]) -> None:
    """A mark with a run's URL becomes a group that names its run: links would be 500 stops of the Tab key."""
    run_id = element.attrib.pop(f"{_XLINK}href", None) if element.tag == f"{_SVG}a" else None
    if run_id is None:
        return
    element.tag = f"{_SVG}g"
    element.attrib.pop("target", None)
    element.attrib |= {"data-run": run_id, "class": "dot"}
    title = ET.Element(f"{_SVG}title")
    title.text = tips.get(run_id, run_id)
    element.insert(0, title)


def _strip_namespace(root: ET.Element) -> None:
    """Inline SVG in HTML needs no namespace prefix."""
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        for name in [name for name in element.attrib if name.startswith("{")]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))
