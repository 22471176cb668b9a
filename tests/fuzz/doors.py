"""What of capbench reads files without a verb of its own that would do for a fuzzer, called as the product calls it.

A runner that measures does in a second process what a verb does in one. Here it happens in this one: a process takes a
second to start, and a bug in it would come back as a sentence with exit code 2 and no traceback.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from capbench.errors import CapbenchError

__all__ = ["call_door", "is_door", "load_verbs"]


def load_verbs() -> None:
    """Import what verbs and doors need, once for all processes that are forked.

    wgpu's library is loaded, but no adapter is asked for: a device does not outlive a fork. What capbench loads late is
    loaded here too, and not once for each input.
    """
    import wgpu.backends.wgpu_native.extras  # noqa: F401
    from PIL import Image

    import capbench.cli
    import capbench.fleet.block_job
    import capbench.fleet.workers.machine_report
    import capbench.gate.compare
    import capbench.gate.over_machines.pool_machines
    import capbench.harness.run.start
    import capbench.harness.worker.__main__
    import capbench.pipeline.export
    import capbench.quality.effects.inspect_output
    import capbench.quality.validate
    import capbench.report
    import capbench.report.history_site.write_site
    import capbench.report.machine_pages.pool_page  # noqa: F401

    for late in ("ruptures", "scipy.interpolate", "scipy.optimize", "tests.jobs_in_process"):
        importlib.import_module(late)
    Image.init()


def is_door(name: str) -> bool:
    """Whether the first word of a command line names a door."""
    return name in _DOORS


def call_door(arguments: tuple[str, ...]) -> int:
    """Open a door and return its exit code, as a verb ends: one line on stderr for what capbench raises on purpose."""
    try:
        return _DOORS[arguments[0]](*arguments[1:])
    except CapbenchError as error:
        sys.stderr.write(f"capbench: {error}\n")
        return error.exit_code


def _floor(source: str, output: str, report_file: str) -> int:
    """The subject `floor` of every matrix."""
    from capbench.cli.app import write_json
    from capbench.pipeline.encode.encoders import EncoderSettings
    from capbench.pipeline.export import floor_export
    from capbench.pipeline.job import ExportOptions

    options = ExportOptions(encoder=EncoderSettings(preset="ultrafast"))
    write_json(floor_export(source, output, options), report_file)
    return 0


def _validate_scene(source: str, output: str, scene: str) -> int:
    """How a runner has the outputs of a scene validated: its pictures are drawn by the oracle."""
    from capbench.harness.worker.__main__ import JOBS

    absent = dict.fromkeys(("width", "height", "fps", "save_frames"))
    spec = {"source": source, "output": output, "scene": scene, "metrics": ["psnr"], **absent}
    report = JOBS["validate"](json.loads(json.dumps(spec)))
    return int(any(check["status"] in ("fail", "unchecked") for check in report["checks"]))


def _load_scene(file: str) -> int:
    from capbench.pipeline.scene import load_scene

    load_scene(file)
    return 0


def _load_look(file: str) -> int:
    from capbench.results.appearance.read_look import load_look

    load_look(Path(file))
    return 0


def _read_figures(file: str) -> int:
    """What a command wrote to `{metrics}`; nothing in it may fail its run."""
    from capbench.harness.run.evidence.own_figures import in_slices_only, read_own_figures

    in_slices_only(read_own_figures(Path(file)))
    return 0


def _read_message(kind: str, file: str) -> int:
    """What another machine of a fleet says. Messages come as text."""
    from capbench.fleet import block_job
    from capbench.fleet.workers.machine_report import MachineReport
    from capbench.results.record import Record

    records: dict[str, type[Record]] = {
        "job": block_job.BlockJob,
        "answer": block_job.BlockAnswer,
        "report": MachineReport,
    }
    text = Path(file).read_bytes().decode("utf-8", errors="replace")
    block_job.to_message(block_job.from_message(text, records[kind]))
    return 0


def _plan_matrix(file: str) -> int:
    """All that `capbench check` and `capbench run` do before the first run, and the steps of the first block."""
    from capbench.cli.app import run_app
    from capbench.harness.matrix.load_matrix import load_matrix
    from capbench.harness.run import prepare_source
    from capbench.harness.run.result_folder import RunFolder
    from capbench.harness.run.runner import unavailable_subjects
    from capbench.harness.run.schedule import Plan, block_steps, case_order, closing_steps, opening_steps
    from capbench.harness.run.start import RunOptions, settle_matrix
    from capbench.installation import version_of
    from tests.jobs_in_process import done_here

    setattr(prepare_source, "ask_worker", done_here)  # noqa: B010  a name that the module only imports
    sys.argv = ["capbench", "check", file]
    if code := run_app():
        return code
    matrix = settle_matrix(load_matrix(file), RunOptions(), is_endless=False)
    plan = Plan(capbench_version=version_of("capbench"), matrix=matrix, seed=1, skipped=unavailable_subjects(matrix))
    folder = RunFolder(Path("planned"))
    folder.begin(plan)
    try:
        folder.resume(matrix)
    except CapbenchError as error:
        raise AssertionError(f"a plan that was written is not the one that is read: {error}") from error
    for case in case_order(plan.seed, 0, matrix.cases):
        subjects = matrix.subjects_of(case)
        steps = (*opening_steps(case, subjects), *block_steps(plan.seed, 0, case, subjects))
        for step in (*steps, *closing_steps(case, subjects)):
            assert step.stem
            assert step.settings.name == case.name
    return 0


def _resume_plan(folder: str, file: str) -> int:
    """What `capbench run --resume` does with a folder before the first run."""
    from capbench.harness.matrix.load_matrix import load_matrix
    from capbench.harness.run.result_folder import RunFolder
    from capbench.harness.run.start import RunOptions, settle_matrix

    matrix = settle_matrix(load_matrix(file), RunOptions(), is_endless=False)
    RunFolder(Path(folder)).resume(matrix)
    return 0


_DOORS: Final[dict[str, Callable[..., int]]] = {
    "-floor": _floor,
    "-validate-scene": _validate_scene,
    "-load-scene": _load_scene,
    "-load-look": _load_look,
    "-read-figures": _read_figures,
    "-read-message": _read_message,
    "-plan-matrix": _plan_matrix,
    "-resume-plan": _resume_plan,
}
