"""What programs hand over: figures of a command of its own, messages of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from capbench.fleet.block_job import BlockAnswer, BlockFile, BlockJob, Bundle, BundleFile, ValidationBasis
from capbench.fleet.workers.machine_report import MachineReport
from capbench.harness.matrix.model import Case, Curve, Subject
from capbench.results.environment import Environment, FleetMachine
from capbench.results.record import Record, record_json
from tests.fuzz.seeds.seed_input import SeedInput

__all__ = ["message_seeds"]

_FIGURES: Final = b"""{
 "frames_dropped": 3,
 "queue_peak": {"value": 12, "unit": "frames", "better": "lower"},
 "speed": {"value": 1.5, "unit": "x"},
 "stages": {"decode": 0.4, "encode": {"work_s": 1.2, "wait_input_s": 0.3, "wait_output_s": 0.0}}
}
"""
_PROGRESS: Final = b"""frame=12
fps=24.0
out_time_us=400000
dup_frames=0
drop_frames=1
speed=1.25x
progress=end
"""
_DIGEST: Final = "0123456789abcdef" * 4


def message_seeds() -> Iterator[SeedInput]:
    """JSON that a command writes to `{metrics}`, ffmpeg's progress in its place, and what machines send each other."""
    for name, data in (("figures.json", _FIGURES), ("progress.txt", _PROGRESS)):
        yield SeedInput(f"message-{name}", "message", {name: data}, (name,), ("-read-figures", name))
    for kind, record in _fleet_messages().items():
        text = record_json(record).encode()
        arguments = ("-read-message", kind, "message.json")
        yield SeedInput(f"message-{kind}", "message", {"message.json": text}, ("message.json",), arguments)


def _fleet_messages() -> dict[str, Record]:
    clip = Bundle(entry="one.mp4", files=(BundleFile(name="one.mp4", sha256=_DIGEST, size_bytes=4000),))
    basis = ValidationBasis(source_sha256=_DIGEST, arithmetic=_DIGEST)
    case = Case(
        name="curve",
        curve=Curve(parameter="qp", values=(18, 24, 30, 36)),
        subjects=("cpu", "mine"),
        blocks=3,
        timeout_s=60,
        settle_s=0.1,
        warmup=True,
        drift_control=True,
    )
    subjects = (Subject(name="cpu", path="cpu"), Subject(name="mine", command=("my-exporter", "{source}", "{output}")))
    job = BlockJob(
        capbench_version="0.1.0",
        run_id=_DIGEST[:16],
        attempt=_DIGEST[:16],
        machine="tower",
        seed=1,
        matrix="own",
        case=case,
        subjects=subjects,
        number=2,
        clip=clip,
        measured=clip,
        basis=basis,
        timeout_s=600,
    )
    environment = Environment(cpu_model="A processor", cores_logical=8, adapter="An adapter", os="Linux")
    machine = FleetMachine(environment=environment, tags={"lab": "berlin"}, encoders=("libx264",))
    return {
        "job": job,
        "answer": BlockAnswer(
            files=(BlockFile(name="runs/curve--cpu--qp=18--b002.json", size_bytes=2, base64="e30="),),
            validation_s=1.5,
            basis=basis,
        ),
        "report": MachineReport(name="tower", capbench_version="0.1.0", system="Linux", machine=machine),
    }
