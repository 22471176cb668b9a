"""Draws traces of exports below one another: what each thread works on, and when.

    python -m tests.bench.trace_picture before.json.gz after.json.gz --title Before --title Now --out docs/trace-4k.png

Traces come from `capbench run --trace`, or from `trace` in a job of the worker; gzip is read too. On the left is the
whole export, each hundredth of it as dark as the thread worked in it; on the right a tenth of a second from its middle.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "main"]

_ORDER = ("decode", "audio", "upload", "render", "GPU passes", "encode", "mux")
_COLOURS = {
    "setup": "#888888",
    "decode": "#2a6fbb",
    "audio": "#8c6bb1",
    "upload": "#d9822b",
    "render": "#b5404a",
    "readback": "#e0a93b",
    "encode": "#2f8f5b",
    "mux": "#5a5a5a",
}
_GPU = "#b5404a"
_CLOSE_UP_S = 0.1
_HEIGHT = 0.7

Span = tuple[str, str, float, float]
"""Thread, what it does, begin and end in seconds."""


def read_trace(path: Path) -> list[Span]:
    """Work of a trace's threads; waits are left out."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    events: list[dict[str, Any]] = json.loads(data)["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    spans = [
        (
            threads[event["tid"]].removeprefix("capbench-"),
            event["name"],
            event["ts"] / 1e6,
            (event["ts"] + event["dur"]) / 1e6,
        )
        for event in events
        if event["ph"] == "X" and not str(event.get("cat", "")).startswith("wait")
    ]
    first_s = min(begin for _, _, begin, _ in spans)
    return [(thread, name, begin - first_s, end - first_s) for thread, name, begin, end in spans]


def draw(traces: list[tuple[str, list[Span]]], target: Path) -> None:
    """Write a picture with a row for each titled trace."""
    longest_s = max(end for _, spans in traces for _, _, _, end in spans)
    with mpl.rc_context({"font.size": 9, "font.family": "sans-serif"}):
        figure = Figure(figsize=(12, 2.1 * len(traces) + 0.5), layout="constrained")
        axes = figure.subplots(len(traces), 2, squeeze=False, width_ratios=(1.2, 1))
        for (title, spans), (whole, close_up) in zip(traces, axes, strict=True):
            lanes = [name for name in _ORDER if any(thread == name for thread, _, _, _ in spans)]
            _draw_whole(whole, spans, lanes)
            whole.set_title(title, loc="left", fontweight="bold")
            whole.set_xlim(0, longest_s)
            middle_s = max(end for _, _, _, end in spans) / 2
            _draw_close_up(close_up, spans, lanes, middle_s)
            close_up.set_title(f"{_CLOSE_UP_S * 1000:.0f} ms from its middle", loc="left")
        axes[-1][0].set_xlabel("seconds since the export began")
        axes[-1][1].set_xlabel("milliseconds")
        figure.savefig(target, dpi=110)


def _draw_whole(axes: Axes, spans: list[Span], lanes: list[str]) -> None:
    end_s = max(end for _, _, _, end in spans)
    edges = np.linspace(0, end_s, 101)
    for row, lane in enumerate(lanes):
        busy = np.zeros(100)
        for thread, _, begin, end in spans:
            if thread == lane:
                busy += np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0, None)
        shades = LinearSegmentedColormap.from_list(lane, ["#f2f2f2", _COLOURS.get(lane, _GPU)])
        share = np.minimum(1, busy / np.diff(edges))[None]
        axes.imshow(
            share, cmap=shades, vmin=0, vmax=1, aspect="auto", extent=(0, end_s, row + _HEIGHT / 2, row - _HEIGHT / 2)
        )
    _label(axes, lanes)


def _draw_close_up(axes: Axes, spans: list[Span], lanes: list[str], from_s: float) -> None:
    for row, lane in enumerate(lanes):
        for thread, name, begin, end in spans:
            if thread == lane and end > from_s and begin < from_s + _CLOSE_UP_S:
                left, right = max(begin, from_s), min(end, from_s + _CLOSE_UP_S)
                axes.barh(
                    row,
                    (right - left) * 1000,
                    left=(left - from_s) * 1000,
                    height=_HEIGHT,
                    color=_COLOURS.get(name, _GPU),
                    edgecolor="white",
                    linewidth=0.3,
                )
    axes.set_xlim(0, _CLOSE_UP_S * 1000)
    _label(axes, lanes)


def _label(axes: Axes, lanes: list[str]) -> None:
    axes.set_yticks(range(len(lanes)), [f"{lane} thread" if lane != "GPU passes" else "GPU" for lane in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)


def main(arguments: list[str] | None = None) -> int:
    """Draw the files that are named; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--title", action="append", required=True, help="of each trace, in the same order")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    if len(options.title) != len(options.traces):
        parser.error(f"{len(options.traces)} traces need as many titles, not {len(options.title)}")
    draw([(title, read_trace(path)) for title, path in zip(options.title, options.traces, strict=True)], options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
