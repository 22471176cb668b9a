"""VMAF over a sequence of picture pairs, by a filter graph in this process or by an `ffmpeg` program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from capbench.errors import UnavailableError
from capbench.quality.metrics.background_meters import Measured, SequenceMeter, Unmeasured
from capbench.quality.metrics.vmaf_tool import SMALLEST_SIDE_PX, VmafTool, model_for, read_log
from capbench.quality.reading.planes import planes_of

__all__ = ["GraphRun", "ProgramRun", "VmafMeter", "open_vmaf", "program_command", "vmaf_options"]

_LOG = "vmaf.json"
_FINISH_TIMEOUT_S = 600.0
"""A program that was given its last picture has only its threads' backlog left: a second or so."""


def vmaf_options(height: int, log_path: str) -> dict[str, str]:
    """Options of the filter for pictures that high: the model by name, every core, one JSON object a frame."""
    return {
        "model": f"version={model_for(height)}",
        "n_threads": str(os.cpu_count() or 1),
        "log_fmt": "json",
        "log_path": log_path,
    }


def program_command(program: str, width: int, height: int) -> list[str]:
    """Command line that reads pairs, output above reference, as raw yuv420p from its standard input.

    One pipe for both: two could block each other, and a pair cannot come apart. It writes its log into the folder that
    it is started in, so that no path needs escaping.
    """
    options = ":".join(f"{name}={value}" for name, value in vmaf_options(height, _LOG).items())
    graph = (
        "[0:v]split[above][below];"
        f"[above]crop={width}:{height}:0:0[got];[below]crop={width}:{height}:0:{height}[want];"
        f"[got][want]libvmaf={options}"
    )
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{2 * height}", "-i", "pipe:0"]
    return [program, "-hide_banner", "-nostdin", "-loglevel", "error", *source, "-lavfi", graph, "-f", "null", "-"]


def open_vmaf(find_tool: Callable[[], VmafTool], width: int, height: int) -> SequenceMeter:
    """A meter for frames of that size by the tool that is found, or the reason why there is none."""
    try:
        return VmafMeter(find_tool(), width, height)
    except UnavailableError as error:
        return Unmeasured({"vmaf": str(error)})


class VmafMeter:
    """Metric `vmaf` of every pair. What keeps it from being measured becomes the reason, never a failure."""

    def __init__(self, tool: VmafTool, width: int, height: int) -> None:
        """For yuv420p frames of that even size in pixels. Raises `UnavailableError` where they are too small."""
        if min(width, height) < SMALLEST_SIDE_PX:
            raise UnavailableError(f"pictures of {width}x{height} are too small for VMAF")
        self._how = f"model {model_for(height)}, by {tool}"
        self._pairs = 0
        self._failure: str | None = None
        try:
            self._folder = TemporaryDirectory(prefix="capbench-vmaf-")
        except OSError as error:  # a full disk
            raise UnavailableError(f"cannot write its log: {error.strerror or error}") from error
        self._log = Path(self._folder.name, _LOG)
        try:
            self._run: GraphRun | ProgramRun
            if tool.program is None:
                self._run = GraphRun("libvmaf", vmaf_options(height, str(self._log)), width, height)
            else:
                self._run = ProgramRun(program_command(tool.program, width, height), Path(self._folder.name))
        except (UnavailableError, av.FFmpegError) as error:
            self._folder.cleanup()
            raise UnavailableError(f"{tool}: {error}") from error

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add a pair."""
        self._pairs += 1
        if self._failure is None:
            try:
                self._run.push(got, want)
            except av.FFmpegError as error:
                self._failure = str(error)

    def finish(self) -> Measured:
        """End of input; libvmaf writes its log only then."""
        if not self._pairs:
            return Measured(unmeasured={"vmaf": "no frame was matched"})
        if self._failure is not None:
            return Measured(unmeasured={"vmaf": self._failure})
        try:
            self._run.finish()
            log = read_log(self._log.read_text(encoding="utf-8"), self._pairs)
        except (UnavailableError, av.FFmpegError, OSError) as error:
            return Measured(unmeasured={"vmaf": str(error)})
        return Measured({"vmaf": list(log.scores)}, {"vmaf": f"{self._how}, libvmaf {log.version}"})

    def close(self) -> None:
        """End what runs and remove the log."""
        self._run.close()
        self._folder.cleanup()


class GraphRun:
    """A filter of two inputs in this process. The filter writes its log when it is let go of."""

    def __init__(self, filter_name: str, options: Mapping[str, str], width: int, height: int) -> None:
        """With the filter's options, for yuv420p frames of that size in pixels."""
        self._time_base = Fraction(1, 1000)
        self._graph: av.filter.Graph | None = av.filter.Graph()
        form = av.VideoFormat("yuv420p", width, height)
        self._inputs = [
            self._graph.add_buffer(width=width, height=height, format=form, time_base=self._time_base, name=name)
            for name in ("got", "want")
        ]
        meter, self._sink = self._graph.add(filter_name, **options), self._graph.add("buffersink")
        for number, source in enumerate(self._inputs):
            source.link_to(meter, 0, number)
        meter.link_to(self._sink)
        self._graph.configure()
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
        for source in self._inputs:
            source.push(None)
        self._drain()
        self.close()

    def close(self) -> None:
        """Let go of the graph."""
        self._graph = None

    def _drain(self) -> None:
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
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
        """End of input, and wait for the program. Raises `UnavailableError` with its last line where it failed."""
        self._close_pipe()
        try:
            status = self._process.wait(_FINISH_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"ffmpeg did not end within {_FINISH_TIMEOUT_S:.0f} s of the last frame") from error
        if status or self._is_broken:
            said = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UnavailableError(f"ffmpeg ended with status {status}: {said[-1] if said else 'no error message'}")

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
