"""One process of a sliced block: only the time in its slices counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from capbench.harness.process.freezer import Freezer, make_cgroup, open_freezer
from capbench.harness.process.gpu_valve import POLL_S, GpuValve
from capbench.harness.process.gpu_valve import VARIABLE as VALVE_VARIABLE
from capbench.harness.process.running_clock import VARIABLE, StoppedTime
from capbench.harness.process.spawn import Launched

__all__ = ["IDLE_TIMEOUT_S", "SliceTurn"]

IDLE_TIMEOUT_S = 0.25
"""How much longer a slice may become for the GPU to finish: four frames of 60 ms each are in flight at most. A process
that has not answered by then waits for its decoder or encoder, and the GPU has been without new work for as long."""


class SliceTurn:
    """Lets one process tree run for a slice at a time, and adds these up.

    Whoever measures the process takes it by `attach` and asks for its running time; whoever shares out the machine
    calls `run`. Times are nanoseconds of `time.monotonic_ns`, which the supervisor reads too.
    """

    def __init__(
        self,
        clock_file: Path,
        *,
        valve: GpuValve | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        freezer_of: Callable[[int, Path | None], Freezer] = open_freezer,
        cgroup_of: Callable[[], Path | None] = make_cgroup,
    ) -> None:
        """With a `valve` a process that uses it has a hardware GPU finish its work before each stop."""
        self._now_ns = now_ns
        self._valve = valve
        self._freezer_of = freezer_of
        self._stopped_time = StoppedTime(clock_file)
        self.cgroup = cgroup_of()
        """Control group that the process is to be started in; None where there is none."""
        self.ready = threading.Event()
        """Set once a process is attached, or none will be attached any more."""
        self.slices = 0
        """Slices that it has had."""
        self.alone_ns = 0
        """Part of the running time in which no other process of the block was left."""
        self.overlap_ns = 0
        """CPU time that it used, or may have used, while it was to be stopped."""
        self.stops_while_drawing = 0
        """Slices that ended while it drew on a hardware GPU behind its valve."""
        self.idle_stops = 0
        """Those of them at whose end the GPU was known to have finished."""
        self.how: str | None = None
        """How it was stopped; None before the first slice."""
        self._process: Launched | None = None
        self._freezer: Freezer | None = None
        self._given_up = False
        self._killed = False
        self._running_ns = 0
        self._stopped_ns = 0
        self._slice_began_ns: int | None = None
        self._stopped_since_ns: int | None = None
        self._cpu_s_when_stopped = 0.0
        self._stands_still = True
        self._running = threading.Event()

    @property
    def env(self) -> Mapping[str, str]:
        """What the process must find in its environment to know its running time."""
        valve = {} if self._valve is None else {VALVE_VARIABLE: str(self._valve.path)}
        return {VARIABLE: str(self._stopped_time.path), **valve}

    @property
    def leaves_gpu_idle(self) -> bool:
        """Whether it drew on a hardware GPU and let that finish before it was stopped."""
        return self._valve is not None and self._valve.was_used

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to run."""
        return self._given_up if self._process is None else self._process.ended.is_set()

    @property
    def stands_still(self) -> bool:
        """Whether the last stop was seen to have taken effect."""
        return self._stands_still

    def attach(self, process: Launched) -> None:
        """Take over a process that was launched held."""
        self._process = process
        self._freezer = self._freezer_of(process.root, self.cgroup)
        self.how = self._freezer.how
        if self._killed:
            process.kill()
        self.ready.set()

    def kill(self) -> None:
        """End the process, and one that is attached later too."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def give_up(self) -> None:
        """Say that no process will come any more, or that the measuring of it is over."""
        self._given_up = True
        self.ready.set()

    def run(self, length_s: float, *, alone: bool = False) -> None:
        """Give it one slice; returns once it is stopped or has ended. An interrupt leaves it running."""
        process, freezer = self._process, self._freezer
        if process is None or freezer is None or self.is_over:
            return
        self._begin(process, freezer)
        process.ended.wait(length_s)
        self._await_idle_gpu(process)
        asked_ns: list[int] = []
        if not process.ended.is_set():
            self._stands_still = freezer.stop(lambda: asked_ns.append(self._now_ns()))
            self._running.clear()
        # Until it was asked to stop: the time that the kernel takes to do so is not counted.
        end_ns = self._end_ns(process, asked_ns[0] if asked_ns else self._now_ns())
        self._cpu_s_when_stopped = freezer.cpu_s()
        assert self._slice_began_ns is not None
        spent_ns = max(0, end_ns - self._slice_began_ns)
        self._running_ns += spent_ns
        self.alone_ns += spent_ns if alone else 0
        self.slices += 1
        self._slice_began_ns, self._stopped_since_ns = None, end_ns
        if process.ended.is_set():
            self._stands_still = True
            if process.ending.exit_code is None:
                freezer.kill()  # its supervisor died and can no longer do so

    def running_s(self) -> float:
        """Running time so far, in seconds."""
        began_ns = self._slice_began_ns
        current_ns = 0 if began_ns is None else max(0, self._now_ns() - began_ns)
        return (self._running_ns + current_ns) / 1e9

    def wait_for_turn(self, timeout_s: float) -> bool:
        """Wait until it runs; returns whether it does."""
        return self._running.wait(timeout_s)

    def close(self) -> None:
        """Remove what was made for it."""
        self._stopped_time.close()
        if self._valve is not None:
            self._valve.close()
        if self.cgroup is not None and self.cgroup.exists():
            self.cgroup.rmdir()  # no supervisor was ever started that would have done so

    def _begin(self, process: Launched, freezer: Freezer) -> None:
        if self._stopped_since_ns is None:
            process.release()
            self._slice_began_ns = process.start_ns if process.start_ns is not None else self._now_ns()
        else:
            self.overlap_ns += round(1e9 * max(0.0, freezer.cpu_s() - self._cpu_s_when_stopped))
            began_ns = self._now_ns()
            self._stopped_ns += began_ns - self._stopped_since_ns
            self._stopped_time.set_ns(self._stopped_ns)
            self._slice_began_ns = began_ns
            if self._valve is not None:
                self._valve.open()
            freezer.resume()
        self._running.set()

    def _await_idle_gpu(self, process: Launched) -> None:
        """Have a hardware GPU finish what the process has submitted. It runs meanwhile, so that this is its time."""
        valve = self._valve
        if valve is None or not valve.is_drawing or process.ended.is_set():
            return
        valve.shut()
        deadline_ns = self._now_ns() + round(IDLE_TIMEOUT_S * 1e9)
        while not valve.is_idle and self._now_ns() < deadline_ns and not process.ended.wait(POLL_S):
            pass
        self.stops_while_drawing += 1
        self.idle_stops += valve.is_idle

    def _end_ns(self, process: Launched, stopped_ns: int) -> int:
        """When the slice ended: when it was stopped, or when the supervisor saw the process end."""
        if process.ended.is_set():
            ending = process.ending
            if ending.start_ns is not None and ending.wall_s is not None:
                return ending.start_ns + round(ending.wall_s * 1e9)
        return stopped_ns
