"""One input in a process of its own, forked after all imports: limits of time and memory, and what it leaves behind."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tests.fuzz.doors import call_door, is_door
from tests.fuzz.seeds.seed_input import SeedInput

__all__ = ["HANG_S", "MEMORY_BYTES", "Outcome", "run_limited"]

HANG_S: Final = 60.0
"""What takes longer hangs: the inputs are half a second of 96x64."""
MEMORY_BYTES: Final = 2 * 10**9
"""Resident memory that no input may take; what a valid one takes is 0.3 GB."""
_ADDRESS_BYTES: Final = 24 * 10**9
"""Of address space, so that one input cannot take the machine with it; libraries alone map several GB."""
_EXIT_CODES: Final = (0, 1, 2, 3, 4)
_POLL_S: Final = 0.004
_QUOTED_CHARACTERS: Final = 1500


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an input ended."""

    faults: tuple[str, ...]
    """In words, after one of traceback, hang, memory, signal, exit-code, left-over, changed, silent-loss and unmutated;
    empty where all is well."""
    code: int | None
    """Exit code; None where a signal ended it."""
    reached: bool
    """Whether the command went the whole way, by its exit code."""
    wall_s: float
    """How long it took."""
    peak_bytes: int
    """Most resident memory."""
    said: str
    """End of standard error."""


def run_limited(seed: SeedInput, files: dict[str, bytes]) -> Outcome:
    """Run the seed's command line on `files`."""
    with tempfile.TemporaryDirectory(prefix="capbench-fuzz-") as name:
        folder, said = Path(name) / "work", Path(name) / "said"
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        before = _listing(folder)
        status, peak, wall = _watched(lambda: _command(seed.arguments), folder, said)
        text = said.read_text(encoding="utf-8", errors="replace")
        faults = _faults_of(status, peak, wall, text)
        code = os.waitstatus_to_exitcode(status) if status is not None else None
        reached = code in seed.ends
        allowed = seed.may_leave if reached else ()
        new = sorted(_listing(folder) - before)
        if left := [name for name in new if not any(fnmatchcase(name, glob) for glob in allowed)]:
            faults.append(f"left-over: {', '.join(left[:4])}")
        if changed := _changed(folder, {path: data for path, data in files.items() if path not in seed.may_change}):
            faults.append(f"changed: {', '.join(changed[:4])}")
        if reached and seed.export_of is not None and not faults:
            faults += _lost(folder, seed.export_of, Path(name) / "count")
        return Outcome(
            tuple(faults), None if code is None or code < 0 else code, reached, wall, peak, text[-_QUOTED_CHARACTERS:]
        )


def _changed(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Files that are no longer what they were: an input is only read."""
    found = {name: folder / name for name in files}
    return [name for name, path in found.items() if not path.is_file() or path.read_bytes() != files[name]]


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def _faults_of(status: int | None, peak: int, wall: float, said: str) -> list[str]:
    faults = []
    if status is None:
        faults.append(f"hang: more than {HANG_S:.0f} s" if wall >= HANG_S else f"memory: {peak / 1e9:.1f} GB")
    else:
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            faults.append(f"signal: {signal.Signals(-code).name}")
        elif code not in _EXIT_CODES:
            faults.append(f"exit-code: {code}")
        if peak > MEMORY_BYTES:
            faults.append(f"memory: {peak / 1e9:.1f} GB")
    if "Traceback (most recent call last)" in said:
        last = said.strip().splitlines()[-1]
        place = next((line.strip() for line in reversed(said.splitlines()) if line.strip().startswith("File ")), "")
        faults.append(f"traceback: {last[:160]} at {place[-110:]}")
    return faults


def _watched(work: Callable[[], int], folder: Path, said: Path) -> tuple[int | None, int, float]:
    """Wait status (None where it was ended for time or memory), peak resident bytes, seconds."""
    start = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _become_child(work, folder, said)
    peak = 0
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        wall = time.monotonic() - start
        if done:
            _end_group(child)
            return status, max(peak, used.ru_maxrss * 1024), wall
        peak = max(peak, _resident_bytes(child))
        if wall >= HANG_S or peak > 1.2 * MEMORY_BYTES:
            _end_group(child)
            os.waitpid(child, 0)
            return None, peak, wall
        time.sleep(_POLL_S)


def _end_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _resident_bytes(child: int) -> int:
    try:
        return int(Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0


def _become_child(work: Callable[[], int], folder: Path, said: Path) -> None:
    """Never returns."""
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT, 0o600), 2)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", encoding="utf-8") for number in (1, 2))
        code = work()
    except BaseException:  # noqa: BLE001  whatever it is, the fuzzer reads it from the child's standard error
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def _command(arguments: tuple[str, ...]) -> int:
    """What a user would start."""
    from capbench.cli.app import run_app

    if is_door(arguments[0]):
        return call_door(arguments)
    sys.argv = ["capbench", *arguments]
    return run_app()


def _lost(folder: Path, source: str, said: Path) -> list[str]:
    """Frames that an export left out without a word: what one decoding thread finds is the count."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if report.get("warnings"):
        return []
    status, _, _ = _watched(lambda: _count(folder / source, folder / "out.mp4"), folder, said)
    text = said.read_text(encoding="utf-8", errors="replace").strip()
    if status is None or os.waitstatus_to_exitcode(status):
        return [f"silent-loss: the source could not be counted: {text[-200:]}"]
    frames, errors, written = (int(word) for word in text.splitlines()[-1].split())
    if errors:
        return [
            f"silent-loss: one thread meets {errors} errors in {frames} frames, {written} were written without a word"
        ]
    if written < frames:
        return [f"silent-loss: {frames} frames decode, {written} were written without a word"]
    return []


def _count(source: Path, written: Path) -> int:
    import av

    counts = []
    for path in (source, written):
        frames = errors = 0
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                    frames += len(stream.codec_context.decode(packet if packet.size else None))
                except StopIteration:
                    break
                except (av.error.FFmpegError, EOFError) as error:
                    if isinstance(error, av.error.EOFError):
                        break
                    errors += 1
                if not packet.size:
                    break
        counts.append((frames, errors))
    sys.stderr.write(f"{counts[0][0]} {counts[0][1]} {counts[1][0]}\n")
    return 0
