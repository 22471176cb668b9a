"""docs/reference.md, made from the code: `python -m tests.reference_page` writes it, a test holds it to the code.

Every verb with its options, every field of every record that is written or read, every name that stands for a path, a
decoder, a subject or a stage, every environment variable, every exit code. What is not found by walking the code is
compared with it: a new record, stage, path or code without an entry here fails the tests.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from pydantic import BaseModel
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

import capbench
from capbench import errors
from capbench.cli import app as _verbs_are_registered  # noqa: F401  importing it registers the verbs
from capbench.cli.app import INTERRUPTED, READER_GONE, app
from capbench.doctor.findings import MachineFindings
from capbench.doctor.metric_list import MetricList
from capbench.fleet.block_job import BlockAnswer, BlockJob, PieceJob
from capbench.fleet.dispatch.fleet_status import FleetStatus
from capbench.fleet.spreading.part_job import PartJob
from capbench.gate.calibration import Calibration
from capbench.gate.gate_file import GateFile
from capbench.gate.history.baseline_figures import Baseline
from capbench.gate.history.series import HistoryEntry, TrendList
from capbench.gate.sequential.interim_looks import InterimLooks
from capbench.harness.matrix.toml_file import CaseTable, FootageTable, LadderTable, MatrixFile, SubjectTable
from capbench.harness.run.schedule import Plan
from capbench.pipeline.recorder import STAGE_ORDER
from capbench.pipeline.scene.scene_schema import Scene
from capbench.results import ExportReport, RunResult
from capbench.results.bundle.bundle_records import BundledCases, BundledMachines, BundledRuns, BundleManifest
from capbench.results.bundle.machine_pool import MachinePool
from capbench.results.comparison import Comparison
from capbench.results.environment import BlockNoise, Environment, MachineTable
from capbench.results.path_names import BUILT_IN_PATHS, DECODERS
from capbench.results.subject_name import CAPACITY_PREFIX, DECODE_ONLY, FLOOR
from capbench.results.validation import ValidationReport
from capbench.selftest.selftest_report import SelfTestReport

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

_HEAD = """# Reference

Made from the code by `python -m tests.reference_page`; a test fails where it is out of date. [design.md](design.md) has
the ideas behind it, [glossary.md](glossary.md) the terms.
"""

_RECORDS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("An export's report", "`capbench export --json`; every run has these fields too.", ExportReport),
    ("A run", "`runs/*.json` of a result folder; the fields of an export's report besides.", RunResult),
    ("A validation", "`capbench validate --json`, and `validation` of a run.", ValidationReport),
    ("The machine", "`environment.json` of a result folder.", Environment),
    (
        "The machines of a folder",
        "`machines.json` of a folder that several took part in.",
        MachineTable,
    ),
    ("The machines of a fleet", "`capbench fleet status --json`; their reports.", FleetStatus),
    ("A block for a machine", "What the runner of a fleet sends, as JSON.", BlockJob),
    ("A block from a machine", "What it gets back.", BlockAnswer),
    ("A piece of a file", "What runner and machine say about one.", PieceJob),
    ("A part of a validation", "What a machine is asked to measure of one.", PartJob),
    ("What disturbed a block", "`blocks/*.json` of a result folder.", BlockNoise),
    ("The plan of a matrix", "`matrix.json` of a result folder.", Plan),
    ("Interim looks", "`looks.json` of a result folder.", InterimLooks),
    ("A comparison", "`capbench compare --json`.", Comparison),
    ("The manifest of a bundle", "`manifest.json` of a file of `capbench bundle`.", BundleManifest),
    ("The machines of a bundle", "`machines.json` of a bundle.", BundledMachines),
    ("The cases of a bundle", "`cases.json` of a bundle.", BundledCases),
    ("The runs of a bundle", "`runs.json` of a bundle.", BundledRuns),
    ("A pool", "`capbench pool --json`.", MachinePool),
    ("A baseline", "`capbench baseline update -o`.", Baseline),
    ("A calibration", "`capbench calibrate --json`.", Calibration),
    ("An entry of a history", "One line of the file of `capbench history`.", HistoryEntry),
    ("A history", "`capbench history show --json`.", TrendList),
    ("The list of metrics", "`capbench validate --list-metrics --json`.", MetricList),
    ("What doctor finds", "`capbench doctor --json`.", MachineFindings),
    ("A self-test", "`capbench selftest --json`.", SelfTestReport),
    ("A case of a matrix file", "`[[case]]`; [matrix.md](matrix.md) explains the fields.", CaseTable),
    ("A subject of a matrix file", "`[[subject]]`.", SubjectTable),
    ("Footage of a matrix file", "`[[footage]]`; [matrix.md](matrix.md#footage) explains it.", FootageTable),
    ("A ladder of a matrix file", "`[[ladder]]`; [matrix.md](matrix.md#ladders) explains it.", LadderTable),
    ("A matrix file", "[matrix.md](matrix.md) explains it.", MatrixFile),
    ("A gate file", "[gate.md](gate.md) explains it.", GateFile),
    ("A scene file", "[scenes.md](scenes.md) explains it.", Scene),
)
"""Records that are a file or the output of a command; the records inside them are found by their fields."""

_CASE_SETTINGS = CaseTable.__base__
assert _CASE_SETTINGS is not None
_EXTENDED: dict[type[BaseModel], str] = {ExportReport: "an export's report", _CASE_SETTINGS: "a case"}
"""Records that others extend, and the entry that lists their fields."""

_STAGES = {
    "setup": "source, device, shaders and encoder get ready; no frame passes",
    "decode": "reads and decodes pictures",
    "audio": "reads, mixes and encodes sound",
    "upload": "copies decoded planes into buffers that the GPU reads",
    "render": "records and submits what draws and converts a frame",
    "readback": "waits for a frame on the GPU and maps its bytes",
    "convert": "copies or converts the mapped bytes into a picture for the encoder",
    "encode": "encodes pictures",
    "mux": "interleaves packets and writes the file",
}
_PATHS = {
    "cpu": "R'G'B'A readback, converted by swscale",
    "gpu": "converted on the GPU, NV12 readback; the default",
    "gpu-fused": "composited and converted in one dispatch",
    "gpu-late": "R'G'B'A readback, converted on a second device, blocking; the specimen of a slow design",
    "videotoolbox": "the transfer session of macOS; not available",
    "passthrough": "decoded pictures go to the encoder; where a scene draws nothing",
}
_DECODERS = {
    "software": "FFmpeg on the CPU; the default",
    "auto": "the first hardware decoder that works for the source, otherwise software",
    "cuda": "NVDEC",
    "vaapi": "VA-API",
    "videotoolbox": "VideoToolbox",
    "d3d11va": "Direct3D 11",
}
_SUBJECTS = {
    "a path's name": "an export by that path",
    FLOOR: "decode and encode with nothing in between; never a base, in no verdict",
    DECODE_ONLY: "decode and discard every picture: what the decoder could deliver; in no verdict",
    f"{CAPACITY_PREFIX}PATH": "decode, draw and convert by that path and discard every picture; in no verdict",
    "NAME@REV": "a path or the floor of the git revision that `--against` names",
    "NAME~same": "the equal copy of a subject that `capbench calibrate` runs beside it; `~plus5` with a slowdown of 5%",
}
_SET_BY_CAPBENCH = {"CAPBENCH_GPU_VALVE", "CAPBENCH_PLANTED_SLOWDOWN", "CAPBENCH_STOPPED_TIME"}
_VARIABLES = {
    "CAP_GPU_FORMAT_CONVERSION": "0 for path `cpu`, 1 for path `gpu`; `--path` overrides it",
    "CAPBENCH_CACHE": "folder for synthetic recordings (default: in the user's cache folder)",
    "CAPBENCH_MACHINE_LOCK": "folder of the lock that keeps timed runs of this machine apart (default: in the cache "
    "folder); one for each machine, so name a local one where several share a cache",
    "CAPBENCH_FLEET_CERTIFICATES": "the folder that `--certificates` names, for every command that takes it",
}


def reference_page() -> str:
    """The whole page as markdown."""
    return "\n".join([_HEAD, *_verbs(), *_names(), *_records(), *_exit_codes()]).rstrip() + "\n"


def names() -> dict[str, tuple[str, ...]]:
    """Names that results, options and matrix files use, by kind, as the code has them."""
    return {"stage": STAGE_ORDER, "path": BUILT_IN_PATHS, "decoder": DECODERS}


def documented_records() -> set[type[BaseModel]]:
    """Every record whose fields the page lists."""
    return {record for *_, record in _RECORDS} | set(_inner_records())


def all_records() -> set[type[BaseModel]]:
    """Every record of the package that has fields of its own and that no other one extends."""
    found: set[type[BaseModel]] = set()
    for module in pkgutil.walk_packages(capbench.__path__, "capbench."):
        if not module.name.endswith("__main__"):
            classes = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {each for _, each in classes if issubclass(each, BaseModel) and each.__module__ == module.name}
    extended = {base for each in found for base in each.__mro__[1:]}
    return {each for each in found if each.model_fields and each not in extended}


def environment_variables() -> set[str]:
    """Every variable of its own that the package reads, but those that it sets for its own processes."""
    folder = Path(capbench.__file__).parent
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    found = {name for text in texts for name in re.findall(r"\"(CAP(?:BENCH)?_[A-Z_]+)\"", text)}
    return found - _SET_BY_CAPBENCH


def verbs() -> dict[str, TyperCommand]:
    """Every command that does something, by its words: `history add`."""
    return dict(_leaves(get_command(app), ()))


def _leaves(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name in sorted(command.commands):
            yield from _leaves(command.commands[name], (*words, name))
    elif isinstance(command, TyperCommand):
        yield " ".join(words), command


def _verbs() -> Iterator[str]:
    yield "## Commands\n"
    for name, command in verbs().items():
        arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
        usage = " ".join([f"capbench {name}", *(_metavar(argument) for argument in arguments)])
        yield f"### `{usage}`\n\n{_plain((command.help or '').split(chr(10) * 2, maxsplit=1)[0])}\n"
        yield "| option | what it does | default |\n|---|---|---|"
        for argument in arguments:
            yield f"| `{_metavar(argument)}` | {_plain(argument.help or '')} | |"
        for option in command.params:
            if isinstance(option, TyperOption):
                names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
                yield f"| {names} | {_plain(option.help or '')} | {_default(option)} |"
        yield ""


def _metavar(argument: TyperArgument) -> str:
    return (argument.metavar or (argument.name or "").upper()).strip("{}")


def _default(option: TyperOption) -> str:
    value = option.default
    shown = isinstance(value, str | int | float) and not isinstance(value, bool)
    return f"`{value}`" if shown else ""


def _names() -> Iterator[str]:
    yield "## Names\n"
    yield from _table("Stages of an export, in order of flow", "stage", _checked(_STAGES, STAGE_ORDER))
    yield from _table("Conversion paths; installed packages may add more", "path", _checked(_PATHS, BUILT_IN_PATHS))
    yield from _table("Decoders", "decoder", _checked(_DECODERS, DECODERS))
    yield from _table("Subjects of a matrix, besides those of its `[[subject]]` tables", "subject", _SUBJECTS)
    variables = _checked(_VARIABLES, sorted(environment_variables()))
    yield from _table("Environment variables", "variable", variables)


def _checked(meanings: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """The meanings in the code's order. Fails where a name has none, or a meaning no name."""
    assert set(meanings) == set(known), set(meanings) ^ set(known)
    return {name: meanings[name] for name in known}


def _table(title: str, kind: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield f"{title}:\n\n| {kind} | meaning |\n|---|---|"
    yield from (f"| {name if ' ' in name else f'`{name}`'} | {meaning} |" for name, meaning in meanings.items())
    yield ""


def _records() -> Iterator[str]:
    yield "## Fields\n\nA value that could not be measured is null, with the reason in `unmeasured`; never 0.\n"
    inner = _inner_records()
    for title, where, record in _RECORDS:
        yield f"### {title}\n\n{where}\n"
        yield from _fields(record)
        for nested, (owner, place) in inner.items():
            if owner is record:
                yield f"#### `{place}`\n\n{_plain(_meaning(nested))}\n"
                yield from _fields(nested)


def _meaning(record: type[BaseModel]) -> str:
    """A record's docstring, or that of the record that it extends; not pydantic's own."""
    own = record.__mro__[: record.__mro__.index(BaseModel)]
    return next((inspect.cleandoc(text) for each in own if (text := vars(each).get("__doc__"))), "")


def _fields(record: type[BaseModel]) -> Iterator[str]:
    left_out: set[str] = set()
    for base, place in _EXTENDED.items():
        if issubclass(record, base) and record is not base and record is not CaseTable:
            left_out |= set(base.model_fields)
            yield f"Besides the fields of {place}:\n"
    yield "| field | meaning |\n|---|---|"
    for name, field in record.model_fields.items():
        if name not in left_out:
            values = ", ".join(f"`{value}`" for value in _values_of(field.annotation))
            meaning = f"{field.description or ''} {f'One of {values}.' if values else ''}"
            yield f"| `{field.alias or name}` | {_plain(meaning)} |"
    yield ""


def _inner_records() -> dict[type[BaseModel], tuple[type[BaseModel], str]]:
    """Records inside those of `_RECORDS`: each once, with the one that it is listed under and its place there."""
    found: dict[type[BaseModel], tuple[type[BaseModel], str]] = {}
    listed = {record for *_, record in _RECORDS}

    def collect(owner: type[BaseModel], record: type[BaseModel], place: str) -> None:
        for name, field in record.model_fields.items():
            for inner in _records_of(field.annotation):
                if inner not in listed and inner not in found:
                    found[inner] = (owner, f"{place}{field.alias or name}")
                    collect(owner, inner, f"{place}{field.alias or name}.")

    for *_, record in _RECORDS:
        collect(record, record, "")
    return found


def _records_of(annotation: object) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _records_of(argument)


def _values_of(annotation: object) -> Iterator[str]:
    """The texts that a field of an enumeration or a literal may have."""
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    elif typing.get_origin(annotation) is typing.Literal:
        yield from (str(value) for value in typing.get_args(annotation))
    else:
        for argument in typing.get_args(annotation):
            yield from _values_of(argument)


def exit_codes() -> dict[int, str]:
    """Every code that the program ends with, and its meaning. Fails where an error ends with another one."""
    meanings = {
        0: "all verdicts pass",
        1: "something is worse, or a check failed",
        2: "the command line or a file is wrong",
        3: "undecided: the runs are too few or too noisy to show the effect that the gate asks about",
        4: "this machine cannot run what was asked (no adapter, no encoder)",
        INTERRUPTED: "interrupted",
        READER_GONE: "the reader of stdout went away",
    }
    assert set(_errors_by_code()) <= set(meanings), "an error ends with a code that this page does not know"
    return meanings


def _errors_by_code() -> dict[int, list[str]]:
    by_code: dict[int, list[str]] = {}
    for name in errors.__all__:
        error = getattr(errors, name)
        if isinstance(error, type) and issubclass(error, errors.CapbenchError):
            by_code.setdefault(error.exit_code, []).append(f"`{name}`")
    return by_code


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n\n| code | meaning | errors that end with it |\n|---|---|---|"
    by_code = _errors_by_code()
    for code, meaning in exit_codes().items():
        yield f"| {code} | {meaning} | {', '.join(by_code.get(code, []))} |"


def _plain(text: str) -> str:
    """One table cell: one line, and no bar that ends it."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference_page(), encoding="utf-8")
