"""Mutants: copies of this package with a defect written into a shader or a module, and real exports by them.

The program itself knows nothing of this and has no hook for it. A mutant is a separate folder, and its export is the
ordinary command line in a separate process: nothing has to be undone, and nothing can leak into another export.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from capbench.errors import InputError, PipelineError, StallError, UnavailableError
from capbench.resources import matrix_folder, shaders_folder
from capbench.results import ExportReport, ValidationReport

__all__ = ["Replacement", "export_by_mutant", "mutant_text", "validate_by_mutant", "write_mutant"]

_PACKAGE = Path(__file__).resolve().parents[1]
_TIMEOUT_S = 300.0
"""An export of a second of video takes one or two; a machine that needs this long is not at work on it any more."""
_QP = 16
"""As clean as a good export, so that nothing but the defect stands out."""


_VALIDATION = """
import sys
from capbench.quality.validate import validate_run
source, output, scene = sys.argv[1:]
print(validate_run(source, output, scene=scene, with_vmaf=False).model_dump_json())
"""
"""The command line has no verb for it: `capbench validate` compares files, and a run knows its scene."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One piece of text for another, in one file."""

    file: str
    """Path in the package: `shaders/<name>.wgsl`, `shaders/shared/<name>.wgsl`, or a module's."""
    old: str
    """Text that occurs in the file exactly once."""
    new: str
    """What stands in its place."""


def mutant_text(text: str, replacement: Replacement) -> str:
    """`text` with the replacement made.

    Raises `InputError` unless the old text is there exactly once: a file that changed must not quietly turn a specimen
    into an export with nothing wrong.
    """
    found = text.count(replacement.old)
    if found != 1:
        raise InputError(
            f"{replacement.file} holds {replacement.old!r} {found} times, and a specimen needs it once; "
            "rewrite the specimen for the current file"
        )
    return text.replace(replacement.old, replacement.new)


def write_mutant(folder: Path, replacements: Sequence[Replacement]) -> None:
    """Write the package with the replacements into `folder`, laid out as in a wheel. Raises as `mutant_text` does."""
    package = folder / "capbench"
    # With times and compiled modules: only what was changed is recompiled.
    shutil.copytree(_PACKAGE, package)
    for data in (shaders_folder(), matrix_folder()):
        shutil.copytree(data, package / data.name, dirs_exist_ok=True)
    for replacement in replacements:
        path = package / replacement.file
        path.write_text(mutant_text(path.read_text(encoding="utf-8"), replacement), encoding="utf-8")
        if path.suffix == ".py":
            Path(cache_from_source(str(path))).unlink(missing_ok=True)


def export_by_mutant(
    replacements: Sequence[Replacement], source: Path, output: Path, *, path: str, scene: str = "bare"
) -> ExportReport:
    """Export `source` to `output` with the replacements made.

    Raises as `mutant_text` does, `PipelineError` where the export fails or another path than `path` ran, and
    `StallError` where it does not end, `UnavailableError` where this machine cannot.
    """
    with tempfile.TemporaryDirectory(prefix="capbench-mutant-") as folder:
        write_mutant(Path(folder), replacements)
        report = _export_by(Path(folder), source, output, path=path, scene=scene)
    if report.path_used != path:
        # What a defect did to one path is not seen in the picture of another.
        reasons = "; ".join(report.fallbacks)
        raise PipelineError(f"path {report.path_used} ran instead of {path}: {reasons}", stage="export")
    return report


def validate_by_mutant(
    replacements: Sequence[Replacement], source: Path, output: Path, *, scene: str = "bare"
) -> ValidationReport:
    """What validation says of an export of `source` when it has the same replacements made as the exporter.

    What validation takes from the exporter is then as wrong as the export, and cannot flag it.
    Raises as `mutant_text` does, `PipelineError` where the validation fails, `StallError` where it does not end.
    """
    with tempfile.TemporaryDirectory(prefix="capbench-mutant-") as folder:
        write_mutant(Path(folder), replacements)
        ended = _run_mutant(Path(folder), ["-c", _VALIDATION, str(source), str(output), scene], "validation")
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no error message"])[-1]
        raise PipelineError(f"a mutant's validation ended with {ended.returncode}: {last}", stage="validate")
    return ValidationReport.model_validate_json(ended.stdout)


def _run_mutant(mutant: Path, arguments: Sequence[str], what: str) -> subprocess.CompletedProcess[str]:
    # PYTHONPATH comes before everything that is installed, and with -m or -c the working folder before that.
    environment = os.environ | {"PYTHONPATH": str(mutant)}
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=mutant,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StallError(f"a mutant's {what} did not end in {_TIMEOUT_S:g} s", stage="export") from error


def _export_by(mutant: Path, source: Path, output: Path, *, path: str, scene: str) -> ExportReport:
    report_file = output.with_suffix(".json")
    arguments = ["export", str(source), str(output), "--path", path, "--scene", scene, "--qp", str(_QP)]
    ended = _run_mutant(mutant, ["-m", "capbench", *arguments, "--json", str(report_file)], "export")
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no error message"])[-1]
        if ended.returncode == UnavailableError.exit_code:
            raise UnavailableError(last.removeprefix("capbench: "))
        raise PipelineError(f"a mutant's export ended with {ended.returncode}: {last}", stage="export")
    return ExportReport.model_validate_json(report_file.read_text(encoding="utf-8"))
