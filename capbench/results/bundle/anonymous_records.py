"""From a result folder to the records of a bundle: figures are taken over one by one, and names are looked at."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from capbench.errors import ResultError
from capbench.results.bundle.bundle_records import (
    BundledCase,
    BundledCases,
    BundledMachine,
    BundledMachines,
    BundledQuality,
    BundledRun,
    BundledRuns,
)
from capbench.results.environment import Environment
from capbench.results.folder import FolderContents
from capbench.results.folder_plan import JsonObject, tables_by_name
from capbench.results.record import first_fault
from capbench.results.run_record import FailureKind, RunResult

__all__ = ["AnonymousResults", "PrivateNames", "anonymous_results"]

_WORK = (
    "recording",
    "duration_s",
    "width",
    "height",
    "fps",
    "encoder",
    "quality",
    "qp",
    "curve",
    "options",
    "interleave",
    "scheduling",
)
"""Keys of a case in a plan that decide the work, besides source, download and scene."""
_SAME_FIELDS = (
    "case",
    "subject",
    "block",
    "role",
    "order",
    "corpus",
    "interleave",
    "scheduling",
    "revision",
    "path_requested",
    "path_used",
    "decoder_requested",
    "decoder_used",
    "frames",
    "wall_s",
    "process_wall_s",
    "setup_s",
    "cpu_s",
    "gpu_busy_s",
    "peak_rss_bytes",
    "gpu_memory_bytes",
    "upload_bytes",
    "readback_bytes",
    "output_bytes",
    "video_bytes",
)
"""Fields of a run that a bundle takes over as they are."""
_OWN = "own"
_SHORTEST_PRIVATE = 3
"""Letters of a name that is looked for: a user called `hd` would forbid cases such as `hd-60`."""
_REDACTED = "redacted"
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[^\s@]{2,63}")
"""An address of mail."""


@dataclass(frozen=True, slots=True)
class AnonymousResults:
    """What a bundle holds."""

    machines: BundledMachines
    """The machines, numbered."""
    cases: BundledCases
    """The cases."""
    runs: BundledRuns
    """The runs."""
    left_out: tuple[str, ...]
    """What was not taken over, in words."""


@dataclass(frozen=True, slots=True)
class PrivateNames:
    """Names that must not leave the machine: of its user, of itself, of its user's folder."""

    words: tuple[str, ...] = field(default=())
    """Looked for as whole words, whatever their case."""

    @classmethod
    def of_this_machine(cls) -> PrivateNames:
        """User, host and home folder of the process."""
        found = [platform.node(), platform.node().partition(".")[0], Path.home().name]
        with contextlib.suppress(
            OSError, KeyError, ImportError
        ):  # no entry in the password file, as in many containers
            found.append(getpass.getuser())
        usual = {"root", "user", "home", "localhost", "runner", "ubuntu", "admin", "administrator"}
        return cls(tuple(sorted({name for name in found if len(name) >= _SHORTEST_PRIVATE} - usual)))

    def found_in(self, text: str) -> str | None:
        """The first private name in a text, or what is private by its form: an address of mail, a path."""
        for word in self.words:
            if re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", text, re.IGNORECASE):
                return word
        match = _ADDRESS.search(text) or re.search(r"[/\\]", text)
        return match[0] if match else None

    def redact(self, text: str) -> str:
        """The text without private names, and with what separates paths as blanks."""
        for word in self.words:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", _REDACTED, text, flags=re.IGNORECASE)
        return re.sub(r"[/\\\x00-\x1f\x7f-\x9f]", " ", _ADDRESS.sub(_REDACTED, text))[:200]


def anonymous_results(contents: FolderContents, plan: JsonObject, private: PrivateNames) -> AnonymousResults:
    """The records of a bundle. Names of cases and subjects are kept: results are nothing without them.

    Raises `ResultError` for such a name that holds a private one, for a folder without runs, and for figures that no
    export has.
    """
    if not contents.runs:
        raise ResultError(f"{contents.path} has no runs to put into a bundle")
    _refuse_private_names(contents, private)
    numbers = _numbered(contents)
    machines = {numbers[name]: _machine(environment, private) for name, environment in _environments(contents).items()}
    matrix = plan.get("matrix")
    definitions = tables_by_name(matrix.get("cases") if isinstance(matrix, dict) else None)
    cases: dict[str, BundledCase] = {}
    runs = []
    try:
        for run in contents.runs:
            runs.append(_run(run, numbers[run.machine]))
            known = cases.get(run.case)
            if known is None or (known.width is None and run.width is not None):
                cases[run.case] = _case(run, definitions.get(run.case, {}))
        return AnonymousResults(
            machines=BundledMachines(machines=machines),
            cases=BundledCases(cases=dict(sorted(cases.items()))),
            runs=BundledRuns(runs=tuple(sorted(runs, key=_place))),
            left_out=(
                "commands, paths, logs, messages and warnings",
                "names of machines, hosts and users, tags, fingerprints and times of day",
                "samples, series and pictures of frames, telemetry, figures of exporters' own",
            ),
        )
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"{contents.path}: {where or 'a record'} cannot be put into a bundle: {message}") from error


def _refuse_private_names(contents: FolderContents, private: PrivateNames) -> None:
    names = {("case", run.case) for run in contents.runs} | {("subject", run.subject) for run in contents.runs}
    for kind, name in sorted(names):
        if (found := private.found_in(name)) is not None:
            raise ResultError(
                f"the {kind} {name!r} holds {found!r}, which must not be in a bundle; rename it in the matrix file"
            )


def _environments(contents: FolderContents) -> Mapping[str | None, Environment]:
    """Of every machine that runs name; an empty one where nothing is known of it."""
    known = {name: machine.environment for name, machine in contents.machines.items()}
    usual = contents.environment or Environment()
    return {
        name: usual if name is None else known.get(name, usual)
        for name in dict.fromkeys(run.machine for run in contents.runs)
    }


def _numbered(contents: FolderContents) -> dict[str | None, str]:
    names = sorted({run.machine for run in contents.runs}, key=lambda name: name or "")
    return {name: f"machine-{number}" for number, name in enumerate(names, start=1)}


def _machine(found: Environment, private: PrivateNames) -> BundledMachine:
    def clean(text: str | None) -> str | None:
        return None if text is None else private.redact(text)

    return BundledMachine(
        cpu_model=clean(found.cpu_model),
        cores_logical=found.cores_logical,
        cores_physical=found.cores_physical,
        cores_usable=found.cores_usable,
        cpu_limit_cores=found.cpu_limit_cores,
        memory_gib=found.memory_gib,
        governor=clean(found.governor),
        turbo=found.turbo,
        virtualisation=clean(found.virtualisation),
        os=clean(found.os),
        architecture=clean(found.architecture),
        python=clean(found.python),
        packages={private.redact(name): private.redact(version) for name, version in sorted(found.packages.items())},
        libraries={private.redact(name): private.redact(version) for name, version in sorted(found.libraries.items())},
        adapter=clean(found.adapter),
        adapter_is_software=found.adapter_is_software,
        driver=clean(found.driver),
    )


def _run(run: RunResult, machine: str) -> BundledRun:
    report = run.validation
    failures = () if report is None else tuple(check.name for check in report.failures)
    thresholds = tuple(check.name for check in run.thresholds if check.status.value == "fail")
    return BundledRun(
        machine=machine,
        **{name: getattr(run, name) for name in _SAME_FIELDS},
        parameter=None if run.point is None else run.point.parameter,
        value=None if run.point is None else run.point.value,
        fell_back=bool(run.fallbacks),
        failed=None if run.error is None else run.error_kind or FailureKind.EXIT,
        validated=None if report is None else report.passed and not thresholds,
        failed_checks=(*failures, *thresholds),
        quality={}
        if report is None
        else {name: BundledQuality(mean=each.mean, p1=each.p1) for name, each in sorted(report.metrics.items())},
    )


def _place(run: BundledRun) -> tuple[object, ...]:
    return int(run.machine.removeprefix("machine-")), run.case, run.value or 0.0, run.block, run.order, run.subject


def _case(run: RunResult, planned: JsonObject) -> BundledCase:
    scene, download = planned.get("scene"), planned.get("download")
    is_shipped = isinstance(scene, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", scene) is not None
    work: dict[str, object] = {name: planned.get(name) for name in _WORK}
    work["scene"] = scene if is_shipped else _OWN
    # Where a clip lies is private and says nothing; its hash says all, and size and length say what can be said else.
    work["clip"] = download.get("sha256") if isinstance(download, dict) else planned.get("source") is not None
    work["output"] = [run.width, run.height, run.frames]
    digest = hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()
    return BundledCase(
        definition=digest,
        width=run.width,
        height=run.height,
        frames=run.frames,
        encoder=run.encoder,
        scene=str(work["scene"]),
    )
