"""What is missing for an export, and the command that installs it. Reads findings and probes nothing itself."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Literal

from capbench.doctor.findings import MachineFindings, Problem
from capbench.installation import install_command
from capbench.units import format_bytes

__all__ = ["Platform", "find_problems"]

_ENOUGH_MEMORY_BYTES = 500 * 10**6
"""The most that a 4K export may take at its peak, by the project's own target."""

_ENOUGH_CACHE_BYTES = 10**9
"""The four recordings of the standard matrix fit into this."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What decides which command fixes a problem."""

    system: Literal["linux", "macos", "windows"]
    has_apt: bool = False
    """Whether packages come by apt-get."""
    is_root: bool = False
    """Whether this process may install them."""

    @classmethod
    def of_this_machine(cls) -> Platform:
        """The platform that this process runs on."""
        if sys.platform == "win32":
            return cls("windows")
        if sys.platform == "darwin":
            return cls("macos")
        return cls("linux", has_apt=shutil.which("apt-get") is not None, is_root=os.geteuid() == 0)

    def apt(self, *packages: str) -> str:
        """Command that installs Debian packages."""
        sudo = "" if self.is_root else "sudo "
        return f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {' '.join(packages)}"


def find_problems(found: MachineFindings, platform: Platform) -> tuple[Problem, ...]:
    """Every problem that the findings show, the blocking ones first."""
    blocking = _adapter_problems(found, platform) + _encoder_problems(found)
    if not any(problem.blocks_export for problem in blocking):
        blocking += _path_problems(found)
    problems = [*blocking, *_room_problems(found), *_program_problems(found, platform)]
    return tuple(sorted(problems, key=lambda problem: not problem.blocks_export))


def _adapter_problems(found: MachineFindings, platform: Platform) -> list[Problem]:
    if found.adapter_error is not None:
        if platform.system == "linux":
            remedy = (
                platform.apt("mesa-vulkan-drivers", "libvulkan1")
                if platform.has_apt
                else "install the Vulkan loader and a Vulkan driver (Mesa's lavapipe where there is no GPU)"
            )
        else:
            remedy = "update the graphics driver, or the system"
        return [Problem(what=found.adapter_error, remedy=remedy, blocks_export=True)]
    if all(adapter.is_software for adapter in found.adapters):
        what = "only a software adapter: paths can be compared, but times are software times, not GPU times"
        return [
            Problem(what=what, remedy="install the driver of this machine's GPU, if it has one", blocks_export=False)
        ]
    return []


def _encoder_problems(found: MachineFindings) -> list[Problem]:
    return [
        Problem(
            what=f"{encoder.name}, the default encoder, does not work: {encoder.reason}",
            remedy="python -m pip install --force-reinstall av",
            blocks_export=True,
        )
        for encoder in found.encoders
        if encoder.name == "libx264" and not encoder.works
    ]


def _path_problems(found: MachineFindings) -> list[Problem]:
    """What is wrong where adapter and encoder are well and the export fails all the same."""
    return [
        Problem(
            what=f"path gpu does not work: {path.reason}",
            remedy="update the graphics driver; if that does not help, report it with `capbench doctor --json -`",
            blocks_export=True,
        )
        for path in found.paths
        if path.name == "gpu" and not path.works
    ]


def _room_problems(found: MachineFindings) -> list[Problem]:
    problems = []
    if found.memory.available_bytes < _ENOUGH_MEMORY_BYTES:
        left = format_bytes(found.memory.available_bytes)
        what = f"{left} of memory free; an export in 4K may need {format_bytes(_ENOUGH_MEMORY_BYTES)}"
        problems.append(
            Problem(
                what=what, remedy="close other programs, or raise the limit of the control group", blocks_export=False
            )
        )
    elsewhere = "export CAPBENCH_CACHE=/a/folder/that/you/may/write/to"
    if not found.cache.is_writable:
        problems.append(
            Problem(what=f"cannot write to the cache, {found.cache.folder}", remedy=elsewhere, blocks_export=False)
        )
    elif found.cache.free_bytes is not None and found.cache.free_bytes < _ENOUGH_CACHE_BYTES:
        what = f"{format_bytes(found.cache.free_bytes)} free on the disk of the cache, {found.cache.folder}"
        problems.append(Problem(what=what, remedy=elsewhere, blocks_export=False))
    return problems


def _program_problems(found: MachineFindings, platform: Platform) -> list[Problem]:
    problems = []
    if found.ffmpeg.path is None:
        remedy = {"macos": "brew install ffmpeg", "windows": "winget install ffmpeg"}.get(
            platform.system, platform.apt("ffmpeg") if platform.has_apt else "install ffmpeg"
        )
        what = "no ffmpeg program on PATH; subjects that call it need it"
        problems.append(Problem(what=what, remedy=remedy, blocks_export=False))
    if found.vmaf_error is not None:
        what = "no FFmpeg here has libvmaf: VMAF is not measured"
        problems.append(Problem(what=what, remedy=install_command("vmaf"), blocks_export=False))
    return problems
