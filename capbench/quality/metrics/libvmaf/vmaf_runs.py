"""The two ways to run libvmaf over pairs of pictures: a filter graph in this process, and an `ffmpeg` program."""

from __future__ import annotations

import gc
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from capbench.errors import UnavailableError
from capbench.quality.metrics.libvmaf.libvmaf_options import filter_text
from capbench.quality.reading.planes import planes_of

__all__ = ["GraphRun", "ProgramRun", "VmafTool", "program_command"]

_FINISH_TIMEOUT_S = 600.0
"""A program that was given its last picture has only its threads' backlog left: a second or so."""


@dataclass(frozen=True, slots=True)
class VmafTool:
    """An FFmpeg that may have libvmaf."""

    label: str
    """What results call it."""
    program: str | None = None
    """Path of the program; None for PyAV's own FFmpeg."""

    def __str__(self) -> str:
        return self.label


def program_command(program: str, options: Mapping[str, str], width: int, height: int) -> list[str]:
    """Command line that reads pairs, output above reference, as raw yuv420p from its standard input.

    One pipe for both: two could block each other, and a pair cannot come apart. It writes its log into the folder that
    it is started in, so that no path needs escaping.
    """
    graph = (
        "[0:v]split[above][below];"
        f"[above]crop={width}:{height}:0:0[got];[below]crop={width}:{height}:0:{height}[want];"
        f"[got][want]libvmaf={filter_text(options)}"
    )
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{2 * height}", "-i", "pipe:0"]
    return [program, "-hide_banner", "-nostdin", "-loglevel", "error", *source, "-lavfi", graph, "-f", "null", "-"]


class GraphRun:
    """A filter of two inputs in this process. The filter writes its log when its graph is freed."""

    def __init__(self, filter_name: str, options: Mapping[str, str], width: int, height: int) -> None:
        """With the filter's options, for yuv420p frames of that size in pixels."""
        self._time_base = Fraction(1, 1000)
        graph = av.filter.Graph()
        form = av.VideoFormat("yuv420p", width, height)
        self._inputs = [
            graph.add_buffer(width=width, height=height, format=form, time_base=self._time_base, name=name)
            for name in ("got", "want")
        ]
        meter = graph.add(filter_name, **options)
        self._sink: av.filter.FilterContext | None = graph.add("buffersink")
        for number, source in enumerate(self._inputs):
            source.link_to(meter, 0, number)
        meter.link_to(self._sink)
        graph.configure()
        self._graph: av.filter.Graph | None = graph
        self._pushed = 0

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add a pair."""
        for frame, source in zip((got, want), self._inputs, strict=True):
            frame.pts, frame.time_base = self._pushed, self._time_base
            source.push(frame)
        self._pushed += 1
        self._drain()

    def finish(self) -> None:
        """End of input; the filter's log is complete then."""
        self._end_input()
        self._drain()
        self.close()

    def close(self) -> None:
        """Let go of the graph, so that it is freed now."""
        if self._graph is None:
            return
        self._inputs, self._sink, self._graph = [], None, None
        # From PyAV 19 on a graph and its filters refer to each other: only the cycle collector frees them.
        gc.collect()

    def _end_input(self) -> None:
        # In a function of its own: a name that still stood for an input would keep the graph.
        for source in self._inputs:
            source.push(None)

    def _drain(self) -> None:
        with suppress(av.BlockingIOError, av.EOFError):
            while self._sink is not None:
                self._sink.pull()


class ProgramRun:
    """A program that reads pairs from its standard input; when it ends early, `finish` says what it said."""

    def __init__(self, command: list[str], folder: Path) -> None:
        """Start the command in a folder, which receives what it prints. Raises `UnavailableError`."""
        self._said = folder / "said.txt"
        try:
            with self._said.open("wb") as said:
                self._process = subprocess.Popen(
                    command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
                )
        except OSError as error:
            raise UnavailableError(f"{command[0]} does not start: {error.strerror}") from error
        self._is_broken = False

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Write a pair, output above reference."""
        pipe = self._process.stdin
        if self._is_broken or pipe is None:
            return
        try:
            for above, below in zip(planes_of(got).all, planes_of(want).all, strict=True):
                pipe.write(np.ascontiguousarray(above).data)
                pipe.write(np.ascontiguousarray(below).data)
        except OSError:
            self._is_broken = True  # it ended; `finish` asks it why

    def finish(self) -> None:
        """End of input, and wait for the program. Raises `UnavailableError` with its first line where it failed."""
        self._close_pipe()
        try:
            status = self._process.wait(_FINISH_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"ffmpeg did not end within {_FINISH_TIMEOUT_S:.0f} s of the last frame") from error
        if status or self._is_broken:
            said = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            # The first complaint is the cause, later ones follow from it. An address in brackets helps nobody.
            first = re.sub(r"^\[[^\]]*\] ", "", said[0]) if said else "no error message"
            raise UnavailableError(f"ffmpeg ended with status {status}: {first}")

    def close(self) -> None:
        """End the program if it still runs."""
        self._close_pipe()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _close_pipe(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):  # input that could not be written does not matter any more
                self._process.stdin.close()
