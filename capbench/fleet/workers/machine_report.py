"""What a machine says of itself when it joins a fleet: read once, before anything is timed."""

from __future__ import annotations

import platform
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from capbench.doctor.findings import MachineFindings
from capbench.errors import InputError
from capbench.harness.machine.read_machine import read_environment
from capbench.harness.run.start import ask_machine
from capbench.installation import environment_for, version_of
from capbench.results.environment import MAX_TAGS, FleetMachine, MachineName
from capbench.results.record import Record

__all__ = ["MachineReport", "check_machine_name", "default_machine_name", "parse_tags", "read_report"]

_DOCTOR_TIMEOUT_S = 300.0
"""It tries every encoder, decoder and path; seconds, but drivers have been seen to take a minute from a cold disk."""
_NAME = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_LONGEST_NAME = 63


class MachineReport(Record):
    """One machine of a fleet."""

    name: MachineName
    """What its owner calls it; its identity, over restarts too."""
    capbench_version: str
    """Version of capbench there: another would be another instrument."""
    system: str
    """`Linux`, `Darwin` or `Windows`."""
    machine: FleetMachine
    """Processor, memory, adapter, encoders, decoders, tags."""
    validation_slots: int = 1
    """Outputs that it validates side by side."""


def default_machine_name() -> str:
    """The name of the host, with what a machine's name cannot hold replaced."""
    words = re.findall(r"[A-Za-z0-9]+", socket.gethostname())
    return "-".join(words)[:_LONGEST_NAME].strip("-") or "machine"


def check_machine_name(name: str) -> str:
    """A name that can be part of a file's. Raises `InputError`."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a machine; use at most {_LONGEST_NAME} letters and digits, "
            "with a single . _ or - between them"
        )
    return name


def parse_tags(texts: list[str]) -> dict[str, str]:
    """`lab=berlin` and the like. Raises `InputError`."""
    tags: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", key) or len(value) > 200:
            raise InputError(f"--tag takes KEY=VALUE, got {text[:100]!r}; for example lab=berlin")
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise InputError(f"{len(tags)} tags; at most {MAX_TAGS} are allowed")
    return tags


def read_report(name: str, tags: Mapping[str, str], *, folder: Path, validation_slots: int) -> MachineReport:
    """Look at this machine; takes seconds. What cannot be found out is left out, its reason in `unmeasured`."""
    environment = read_environment(ask_machine(folder), Path(__file__).resolve().parents[3])
    found = _ask_doctor()
    encoders: tuple[str, ...] = ()
    decoders: tuple[str, ...] = ("software",)
    if isinstance(found, str):
        reasons = environment.unmeasured | {"encoders": found, "decoders": found}
        environment = environment.model_copy(update={"unmeasured": reasons})
    else:
        encoders = tuple(each.name for each in found.encoders if each.works)
        decoders = ("software", *sorted({each.name for each in found.decoders if each.works}))
    return MachineReport(
        name=name,
        capbench_version=version_of("capbench"),
        system=platform.system(),
        machine=FleetMachine(environment=environment, tags=dict(tags), encoders=encoders, decoders=decoders),
        validation_slots=validation_slots,
    )


def _ask_doctor() -> MachineFindings | str:
    """The doctor's findings, from a process of its own: it loads what a worker must not. Or why there are none."""
    command = [sys.executable, "-X", "utf8", "-P", "-m", "capbench", "doctor", "--json", "-"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment_for(None),
            timeout=_DOCTOR_TIMEOUT_S,
            check=False,
        )
        return MachineFindings.model_validate_json(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the doctor could not be asked: {error}"
    except ValidationError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"the doctor failed: {said[-1] if said else 'it wrote nothing'}"
