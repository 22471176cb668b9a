"""Sampling a process tree from outside, at a pace that keeps its own cost small."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence

import psutil

from capbench.harness.machine.gpu_telemetry import Gauge
from capbench.harness.process.process_tree import descendants
from capbench.results.run_record import TraceSample

__all__ = ["COST_SHARE", "MIN_INTERVAL_S", "TreeReader", "TreeSampler"]

COST_SHARE = 0.005
"""Share of one core that sampling may take: half of the 1% that is promised, to leave room for its own estimate."""
MIN_INTERVAL_S = 0.05
"""Never sample faster: 20 samples a second draw any memory curve that a person looks at."""
_REFRESH_TREE_EVERY = 1 if sys.platform == "linux" else 10
"""Samples from one look for new children to the next. Linux lists those of a process; elsewhere every process of the
machine is read, which costs some ten times a sample. A child that is found late brings its CPU time into one sample."""


class TreeReader:
    """Resident memory and CPU seconds of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._family: list[psutil.Process] = [self._root]
        self._cpu_s_of_ended = 0.0
        self._last_cpu_s: dict[int, float] = {}

    def refresh(self) -> None:
        """Look for descendants that are new."""
        known = {process.pid for process in self._family}
        for pid in descendants(self._root.pid):
            if pid not in known:
                with contextlib.suppress(psutil.Error):  # gone meanwhile
                    self._family.append(psutil.Process(pid))

    def read(self) -> tuple[int, float] | None:
        """Resident bytes now and CPU seconds so far of the tree; None once all are gone."""
        rss_bytes, cpu_s = 0, 0.0
        alive: list[psutil.Process] = []
        for process in self._family:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss_bytes += process.memory_info().rss
            except psutil.Error:
                self._cpu_s_of_ended += self._last_cpu_s.pop(process.pid, 0.0)
                continue
            self._last_cpu_s[process.pid] = times.user + times.system
            cpu_s += self._last_cpu_s[process.pid]
            alive.append(process)
        self._family = alive
        return (rss_bytes, cpu_s + self._cpu_s_of_ended) if alive else None

    def kill_rest(self) -> None:
        """End descendants that left the process group."""
        for process in self._family:
            try:
                process.kill()
            except psutil.Error:
                continue


class TreeSampler:
    """Takes samples and says when the next is due.

    `cpu_now_s` is the CPU clock of the sampling thread: what a sample cost decides the pace, so the share of a core
    holds on a machine with thousands of processes too.
    """

    def __init__(
        self,
        reader: TreeReader,
        gauges: Sequence[Gauge] = (),
        *,
        cpu_now_s: Callable[[], float] = time.thread_time,
        cost_share: float = COST_SHARE,
    ) -> None:
        self._reader = reader
        self._gauges = tuple(gauges)
        self._cpu_now_s = cpu_now_s
        self._cost_share = cost_share
        self._until_refresh = 0
        self._last: tuple[float, float] | None = None
        self.samples: list[TraceSample] = []
        """What was sampled, in order."""
        self.cost_s = 0.0
        """CPU seconds spent on it."""

    def take(self, time_s: float) -> None:
        """Sample now; `time_s` is the time since the start of the run."""
        before_s = self._cpu_now_s()
        if self._until_refresh <= 0:
            self._reader.refresh()
            self._until_refresh = _REFRESH_TREE_EVERY
        self._until_refresh -= 1
        read = self._reader.read()
        if read is not None:
            rss_bytes, cpu_s = read
            last_time_s, last_cpu_s = self._last or (0.0, 0.0)
            elapsed_s = time_s - last_time_s
            # A child that ended between two samples takes its last CPU seconds along: never show a negative load.
            percent = max(0.0, 100 * (cpu_s - last_cpu_s) / elapsed_s) if elapsed_s > 0 else 0.0
            self.samples.append(TraceSample(time_s=time_s, rss_bytes=rss_bytes, cpu_percent=percent))
            self._last = (time_s, cpu_s)
            for gauge in self._gauges:
                gauge.sample()
        self.cost_s += self._cpu_now_s() - before_s

    def next_interval_s(self, time_s: float) -> float:
        """Pause until the next sample, so that the whole cost stays within its share of the time gone by."""
        mean_cost_s = self.cost_s / max(1, len(self.samples))
        # The time at which the cost so far and one more sample are within the share.
        due_s = (self.cost_s + mean_cost_s) / self._cost_share
        return max(MIN_INTERVAL_S, due_s - time_s)
