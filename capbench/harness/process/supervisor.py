"""The small process between the runner and what it measures. POSIX only; run as a file, never imported by the runner.

A child's high-water mark starts with that of the process that spawned it: on Linux, `exec` folds the old address
space's mark into the new process's (`exec_mmap` in fs/exec.c calls `setmax_mm_hiwater_rss`), so a `true` started by a
200 MB runner is reported as 200 MB. This launcher holds about 10 MB, imports nothing big, and reports what the kernel
has added up of all the children that it has waited for. It also does not outlive the runner: when that dies, even by
SIGKILL, the pipe breaks and the child's whole process group is killed, stopped or not, so that a resumed matrix does
not share the machine with a forgotten run. On Linux it adopts what leaves the group (`PR_SET_CHILD_SUBREAPER`), which
is killed with the rest.

Arguments: LIFE_FD REPORT_FD START CGROUP PRIORITY PROGRAM [ARGUMENT...]. START is `now`, or `held` to wait for a byte
on the life line. CGROUP is a folder of control groups version 2 that the child is born in and that is removed in the
end, or `-`. PRIORITY is that of the child by the policy SCHED_RR, or `-` to schedule it as this is. Lines written to
REPORT_FD:

    pid PID START_NS                    of the clock that Python calls monotonic, which all processes share
    end WALL_NS STATUS USER_S SYSTEM_S PEAK_RSS_BYTES
    fail MESSAGE
"""

import contextlib
import os
import select
import signal
import sys
import time

PAUSE_S = 0.002
LOOKS = 1000
"""Two seconds: orders more than a killed process needs on a machine that is merely busy."""


PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>."""


def main(life_fd: int, report_fd: int, argv: list[str], *, start: str, cgroup: str, priority: str) -> None:
    """Start `argv` in its own process group, wait, report."""
    os.set_inheritable(life_fd, False)
    os.set_inheritable(report_fd, False)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    adopt_orphans()
    if start == "held" and not os.read(life_fd, 1):
        report(report_fd, "fail ended before its first slice")
        leave(cgroup)
        return
    # Not given at all where it is not asked for: None is refused.
    scheduler = {} if priority == "-" else {"scheduler": (os.SCHED_RR, os.sched_param(int(priority)))}
    start_ns = time.monotonic_ns()
    try:
        with born_in(cgroup):
            # Python ignores SIGPIPE; the subject gets the default back, as from a shell.
            pid = os.posix_spawnp(
                argv[0],
                argv,
                os.environ,
                setpgroup=0,
                setsigdef=[signal.SIGPIPE],
                **scheduler,  # type: ignore[arg-type]  # taken for any of the options
            )
    except OSError as error:
        report(report_fd, f"fail cannot start {argv[0]!r}: {error.strerror}")
        leave(cgroup)
        return
    report(report_fd, f"pid {pid} {start_ns}")
    watched = [life_fd, wake_read]
    status = None
    while status is None:
        ready = select.select(watched, [], [])[0]
        if wake_read in ready:
            os.read(wake_read, 512)
            status = reap(pid)
        if life_fd in ready:  # the runner asks for the end, or is gone
            watched.remove(life_fd)
            kill_group(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so still its own; it may have left its group
    wall_ns = time.monotonic_ns() - start_ns
    # What the subject left running would disturb the next run. First what was adopted: only who reaps it sees an end of
    # its zombies, and they would keep the group in being.
    end_children()
    end_group(pid)
    leave(cgroup)
    import resource  # only here: loading it takes time

    # Of everything that was waited for here: the subject with what it waited for, and what was adopted.
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes on macOS, KiB elsewhere: getrusage(2)
    report(report_fd, f"end {wall_ns} {status} {usage.ru_utime} {usage.ru_stime} {peak}")


def report(report_fd: int, line: str) -> None:
    """Tell the runner. It may be gone: what it asked for is then ended by what its life line says, not by this."""
    with contextlib.suppress(BrokenPipeError):
        os.write(report_fd, f"{line}\n".encode())


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs: what turns into a daemon stays within reach. Linux only."""
    if sys.platform == "linux":
        import ctypes  # only here: loading it takes time

        # A kernel that refuses (older than 3.4) leaves things as they are on other systems.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def born_in(cgroup: str):  # type: ignore[no-untyped-def]  # typing would be one import more in this process
    """Be in a control group for the length of the block: a child is born where its parent is, without a race."""
    if cgroup == "-":
        yield
        return
    home = os.path.dirname(cgroup)  # noqa: PTH120  pathlib would be one import more
    move_into(cgroup)
    try:
        yield
    finally:
        move_into(home)  # never frozen together with the child


def move_into(cgroup: str) -> None:
    """Enter a control group."""
    handle = os.open(cgroup + "/cgroup.procs", os.O_WRONLY)
    try:
        os.write(handle, b"0")
    finally:
        os.close(handle)


def leave(cgroup: str) -> None:
    """Remove the child's control group, which is empty now unless a process is stuck in the kernel."""
    if cgroup != "-":
        with contextlib.suppress(OSError):
            os.rmdir(cgroup)  # noqa: PTH106  pathlib would be one import more


def reap(pid: int) -> int | None:
    """Reap children that have ended; returns the status of `pid` once it has."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        while True:
            waited, status = os.waitpid(-1, os.WNOHANG)
            if waited == 0:
                break
            if waited == pid:
                ended = status
    return ended


def end_children() -> None:
    """Kill what was adopted, and what that leaves in turn, and wait until it is gone; gives up like `end_group`."""
    for _ in range(LOOKS):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as listing:  # noqa: PTH123  likewise
                children = [int(word) for word in listing.read().split()]
        except OSError:
            return  # not Linux: nothing is adopted
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        reap(0)
        time.sleep(PAUSE_S)


def kill_group(group: int) -> bool:
    """Send SIGKILL to every process of a group; returns whether there was one."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def end_group(group: int) -> None:
    """Kill a group and wait until it is gone: a killed process runs on until the kernel next has a core for it.

    Gives up after a while: if orphans are never reaped, a group of zombies never disappears.
    """
    for _ in range(LOOKS):
        if not kill_group(group):
            return
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[6:], start=sys.argv[3], cgroup=sys.argv[4], priority=sys.argv[5])
