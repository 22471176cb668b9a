"""What libvmaf measures, over a sequence of picture pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from capbench.errors import UnavailableError
from capbench.quality.metrics.background_meters import Measured, SequenceMeter, Unmeasured
from capbench.quality.metrics.libvmaf.libvmaf_log import read_log
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS, filter_options, model_of, too_small
from capbench.quality.metrics.libvmaf.vmaf_runs import GraphRun, ProgramRun, VmafTool, program_command

__all__ = ["VmafMeter", "open_vmaf"]

_LOG = "vmaf.json"


def open_vmaf(
    find_tool: Callable[[], tuple[VmafTool, Collection[str]]],
    names: Collection[str],
    width: int,
    height: int,
    *,
    threads: int | None = None,
) -> SequenceMeter:
    """A meter of these metrics for frames of that size, or one that gives the reasons why there is none.

    `find_tool` gives the tool and the metrics that it measures, or raises `UnavailableError`. `threads` is the most
    that are taken, None for what the machine has.
    """
    reasons = {name: reason for name in names if (reason := too_small(name, width, height))}
    asked = [name for name in LIBVMAF_METRICS if name in names and name not in reasons]
    if not asked:
        return Unmeasured(reasons)
    try:
        tool, measures = find_tool()
        reasons |= {name: f"{tool} does not measure it" for name in asked if name not in measures}
        able = [name for name in asked if name in measures]
        return VmafMeter(tool, able, width, height, reasons, threads=threads) if able else Unmeasured(reasons)
    except UnavailableError as error:
        return Unmeasured(reasons | dict.fromkeys(asked, str(error)))


class VmafMeter:
    """Metrics of libvmaf for every pair. What keeps them from being measured becomes the reason, never a failure."""

    def __init__(
        self,
        tool: VmafTool,
        names: Collection[str],
        width: int,
        height: int,
        reasons: dict[str, str] | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        """For yuv420p frames of that even size in pixels, large enough for each of the metrics named.

        `reasons` are passed on: why other metrics are not measured. Raises `UnavailableError`.
        """
        self._names = tuple(names)
        self._reasons = reasons or {}
        self._how = {
            name: f"{f'model {model}, ' if (model := model_of(name, height)) else ''}by {tool}" for name in names
        }
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
                options = filter_options(names, width, height, str(self._log), threads)
                self._run = GraphRun("libvmaf", options, width, height)
            else:
                command = program_command(
                    tool.program, filter_options(names, width, height, _LOG, threads), width, height
                )
                self._run = ProgramRun(command, Path(self._folder.name))
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
            return self._unmeasured("no frame was matched")
        if self._failure is not None:
            return self._unmeasured(self._failure)
        try:
            self._run.finish()
            log = read_log(self._log.read_text(encoding="utf-8"), self._names, self._pairs)
        except (UnavailableError, av.FFmpegError, OSError) as error:
            return self._unmeasured(str(error))
        how = {name: f"{words}, libvmaf {log.version}" for name, words in self._how.items()}
        return Measured(dict(log.scores), how, self._reasons)

    def close(self) -> None:
        """End what runs and remove the log."""
        self._run.close()
        self._folder.cleanup()

    def _unmeasured(self, reason: str) -> Measured:
        return Measured(unmeasured=self._reasons | dict.fromkeys(self._names, reason))
