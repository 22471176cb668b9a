"""The small process between the runner and what it measures. POSIX only; run as a file, never imported by the runner.

A child's high-water mark starts with that of the process that spawned it: on Linux, `exec` folds the old address
space's mark into the new process's (`exec_mmap` in fs/exec.c calls `setmax_mm_hiwater_rss`), so a `true` started by a
200 MB runner is reported as 200 MB. This launcher holds about 10 MB, imports nothing big, and waits for its child with
`wait4`. It also outlives nobody: when the runner dies, even by SIGKILL, the life line breaks and the child's whole
process group is killed, so that a resumed matrix does not share the machine with a forgotten run.

Arguments: LIFE_FD REPORT_FD PROGRAM [ARGUMENT...]. Lines written to REPORT_FD:

    pid PID
    end WALL_NS STATUS USER_S SYSTEM_S PEAK_RSS_BYTES
    fail MESSAGE
"""

import os
import select
import signal
import sys
import time

PAUSE_S = 0.002
LOOKS = 1000
"""Two seconds: orders more than a killed process needs on a machine that is merely busy."""


def main(life_fd: int, report_fd: int, argv: list[str]) -> None:
    """Start `argv` in a process group of its own, wait, report."""
    os.set_inheritable(life_fd, False)
    os.set_inheritable(report_fd, False)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    start_ns = time.monotonic_ns()
    try:
        # Python ignores SIGPIPE; the subject gets the default back, as from a shell.
        pid = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, setsigdef=[signal.SIGPIPE])
    except OSError as error:
        os.write(report_fd, f"fail cannot start {argv[0]!r}: {error.strerror}\n".encode())
        return
    os.write(report_fd, f"pid {pid}\n".encode())
    watched = [life_fd, wake_read]
    while True:
        ready = select.select(watched, [], [])[0]
        if wake_read in ready:
            os.read(wake_read, 512)
            waited, status, usage = os.wait4(pid, os.WNOHANG)
            if waited:
                break
        if life_fd in ready:  # the runner asks for the end, or is gone
            watched.remove(life_fd)
            kill_group(pid)
    wall_ns = time.monotonic_ns() - start_ns
    end_group(pid)  # what the subject left running would disturb the next run
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes on macOS, KiB elsewhere: getrusage(2)
    os.write(report_fd, f"end {wall_ns} {status} {usage.ru_utime} {usage.ru_stime} {peak}\n".encode())


def kill_group(group: int) -> bool:
    """Send SIGKILL to every process of a group; returns whether there was one."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def end_group(group: int) -> None:
    """Kill a group and wait until it is gone: a killed process runs on until the kernel next has a core for it.

    Gives up in the end: where nobody reaps orphans, a group of zombies is never gone.
    """
    for _ in range(LOOKS):
        if not kill_group(group):
            return
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
