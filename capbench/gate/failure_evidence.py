"""Runs that failed or are not valid, each with its log and its output: what the reader of a verdict asks for next."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from capbench.results.comparison import RunFailure
from capbench.results.folder import FolderContents, read_evidence, run_stem
from capbench.results.run_record import RunResult

__all__ = ["failures_of"]

_MOST_FAILURES = 50
"""Of one comparison; a subject that fails does so in every block, for one reason."""


def failures_of(contents: Iterable[FolderContents]) -> tuple[RunFailure, ...]:
    """The first failed runs of result folders, in their order. Paths are as the folders were named."""
    return tuple(islice((failure for content in contents for failure in _failures_in(content)), _MOST_FAILURES))


def _failures_in(content: FolderContents) -> Iterable[RunFailure]:
    evidence = None
    for run in content.runs:
        if (reason := _reason(run)) is None:
            continue
        evidence = read_evidence(content.path) if evidence is None else evidence
        left = evidence.get(run_stem(run))
        yield RunFailure(
            case=run.case,
            subject=run.subject,
            block=run.block,
            machine=run.machine,
            reason=reason,
            log=_text(left.log if left else None),
            output=_text(left.output if left else None),
        )


def _reason(run: RunResult) -> str | None:
    if run.error is not None:
        return run.error
    if run.validation is not None and not run.validation.passed:
        return f"its output fails {', '.join(check.name for check in run.validation.failures)}"
    return None


def _text(path: Path | None) -> str | None:
    return None if path is None else path.as_posix()
