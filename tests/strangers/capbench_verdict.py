"""What `capbench validate` says of two files, from a process of its own with limits of time."""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.strangers.foreign_exporters import Request
from tests.strangers.tool_programs import content_key

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Verdict", "ask_capbench", "tree_key"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_TIMEOUT_S: Final = 600.0
"""A second of a clip takes half a second on a quiet machine, 270 frames of 1080p two minutes on a busy one."""
_NO_WORD: Final = "validation "
"""How an error begins that is none of capbench's."""
_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["capbench.quality.validate"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation said."""

    passed: bool
    """Whether every check passed or had nothing to check."""
    failed: tuple[str, ...]
    """Checks that failed."""
    unchecked: tuple[str, ...]
    """Checks that could not be made."""
    messages: dict[str, str]
    """Check to its sentence, of those that failed or could not be made."""
    error: str | None
    """Why there is no report; a traceback's last line where it was none of capbench's own errors."""
    seconds: float
    """How long it took."""

    @property
    def is_lost(self) -> bool:
        """Whether validation said nothing, in time or at all: then it neither passed nor flagged the file."""
        return (self.error or "").startswith(_NO_WORD)

    @property
    def flagged(self) -> bool:
        """Whether a user is told that something is wrong."""
        return not self.passed

    def says(self) -> str:
        """The sentences in one line."""
        return self.error or "; ".join(f"{name}: {text}" for name, text in self.messages.items())


_OTHERS: Final = frozenset({"cli", "doctor", "fleet", "gate", "harness", "report", "selftest"})
"""Packages that neither an export nor a verdict depends on."""


@functools.cache
def tree_key(*, with_quality: bool = True) -> str:
    """Stands for the state of what judges a file, or without `quality` of what exports one."""
    digest = hashlib.sha256()
    left_out = _OTHERS if with_quality else _OTHERS | {"quality"}
    for path in sorted((*_ROOT.glob("capbench/**/*.py"), *_ROOT.glob("shaders/**/*.wgsl"))):
        if path.relative_to(_ROOT).parts[1] not in left_out:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ask_capbench(reference: Path, output: Path, request: Request, folder: Path) -> Verdict:
    """Validate, or read from `folder` what was said of the same files by the same revision."""
    key = content_key(reference, output, request, tree_key())
    path = folder / f"{key}.json"
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        return Verdict(**{**known, "failed": tuple(known["failed"]), "unchecked": tuple(known["unchecked"])})
    verdict = _in_process(reference, output, request)
    if verdict.is_lost:
        return verdict  # a busy or broken machine may be to blame: the next study asks again
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    partial.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    partial.replace(path)
    return verdict


def _in_process(reference: Path, output: Path, request: Request) -> Verdict:
    receiver, sender = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_validate, args=(reference, output, request, sender))
    start = time.monotonic()
    process.start()
    sender.close()
    try:
        if not receiver.poll(_TIMEOUT_S):
            return _lost(f"validation took more than {_TIMEOUT_S:.0f} s", start)
        verdict: Verdict = receiver.recv()
    except EOFError:
        process.join()
        return _lost(f"validation ended with {process.exitcode} and no word", start)
    else:
        return verdict
    finally:
        process.kill()
        process.join()


def _lost(why: str, start: float) -> Verdict:
    return Verdict(False, (), (), {}, why, time.monotonic() - start)


def _validate(reference: Path, output: Path, request: Request, sender: Connection) -> None:
    from capbench.errors import CapbenchError
    from capbench.quality.expectation import Expectation
    from capbench.quality.validate import validate

    start = time.monotonic()
    try:
        asked: dict[str, Any] = {"size": request.size, "rate": request.rate, "bits": request.bits}
        known = {each.name for each in fields(Expectation)}  # revisions before depth was judged know no bits
        expected = Expectation(**{name: value for name, value in asked.items() if name in known})
        report = validate(reference, output, expected=expected, with_vmaf=False)
    except CapbenchError as error:
        sender.send(_lost(str(error), start))
        return
    except Exception as error:  # noqa: BLE001  what a user would see as a traceback is what the study looks for
        sender.send(_lost(f"TRACEBACK {type(error).__name__}: {error}", start))
        return
    bad = [check for check in report.checks if check.status.value in {"fail", "unchecked"}]
    sender.send(
        Verdict(
            report.passed,
            tuple(check.name for check in bad if check.status.value == "fail"),
            tuple(check.name for check in bad if check.status.value == "unchecked"),
            {check.name: check.message for check in bad},
            None,
            time.monotonic() - start,
        )
    )
