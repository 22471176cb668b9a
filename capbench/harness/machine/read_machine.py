"""Reading the machine. Everything that fails leaves None and a reason; nothing here needs av or wgpu."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from capbench import cgroup
from capbench.results.environment import Environment

__all__ = ["read_environment"]

_PACKAGES = ("capbench", "av", "wgpu", "numpy", "pillow")
"""What takes part in a run; a change of another package does not make times incomparable."""
_SYS = Path("/sys")
_PROC = Path("/proc")


def read_environment(machine: Mapping[str, Any], checkout: Path) -> Environment:
    """Describe the machine. `machine` is the worker's answer to the job of that name, or `{"error": reason}`."""
    unmeasured: dict[str, str] = {}

    def ask(field: str, read: Callable[[], Any], reason: str) -> Any:
        try:
            value = read()
        except (OSError, ValueError, psutil.Error, subprocess.SubprocessError) as error:
            unmeasured[field] = f"{reason}: {error}"
            return None
        if value is None:
            unmeasured[field] = reason
        return value

    groups = (_SYS / "fs/cgroup", _PROC / "self/cgroup")
    git = ask("git_revision", lambda: _git(checkout, "rev-parse", "HEAD"), "capbench does not run from a git work tree")
    environment = Environment(
        cpu_model=ask("cpu_model", _cpu_model, "the system does not report its processor"),
        cores_logical=psutil.cpu_count(),
        cores_physical=ask("cores_physical", lambda: psutil.cpu_count(logical=False), "not reported by the system"),
        cores_usable=_cores_usable(),
        cpu_limit_cores=ask("cpu_limit_cores", lambda: cgroup.cpu_limit_cores(*groups), "no control group limit"),
        memory_bytes=psutil.virtual_memory().total,
        memory_limit_bytes=ask(
            "memory_limit_bytes", lambda: cgroup.memory_limit_bytes(*groups), "no control group limit"
        ),
        governor=ask("governor", _governor, "the system has no frequency governor to read"),
        turbo=ask("turbo", _turbo, "the system does not report whether turbo is on"),
        load_1min=round(psutil.getloadavg()[0], 2),
        virtualisation=ask("virtualisation", _virtualisation, "cannot be determined on this system"),
        os=_os_name(),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: found for name in _PACKAGES if (found := _version(name)) is not None},
        libraries=machine.get("libraries", {}),
        adapter=machine.get("adapter"),
        adapter_is_software=machine.get("adapter_is_software"),
        driver=machine.get("driver"),
        git_revision=git,
        git_dirty=None if git is None else bool(_git(checkout, "status", "--porcelain", "--untracked-files=no")),
    )
    if environment.adapter is None:
        unmeasured["adapter"] = str(machine.get("adapter_error") or machine.get("error") or "no adapter was reported")
    environment = environment.model_copy(update={"unmeasured": unmeasured})
    return environment.model_copy(update={"fingerprint": environment.identity()})


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    if shutil.which("git") is None:
        return None
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str | None:
    if platform.system() == "Darwin":
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5, check=True
        )
        return done.stdout.strip() or None
    if (_PROC / "cpuinfo").is_file():
        for line in (_PROC / "cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or None


def _cores_usable() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()


def _governor() -> str | None:
    file = _SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return file.read_text().strip() if file.is_file() else None


def _turbo() -> bool | None:
    cpu = _SYS / "devices/system/cpu"
    if (file := cpu / "intel_pstate/no_turbo").is_file():
        return file.read_text().strip() == "0"
    if (file := cpu / "cpufreq/boost").is_file():
        return file.read_text().strip() == "1"
    return None


def _virtualisation() -> str | None:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "container"
    if shutil.which("systemd-detect-virt"):
        done = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, timeout=5, check=False)
        if done.stdout.strip():
            return done.stdout.strip()
    if (cpuinfo := _PROC / "cpuinfo").is_file():
        return "hypervisor" if " hypervisor" in cpuinfo.read_text() else "none"
    return None


def _os_name() -> str:
    if platform.system() == "Linux":
        try:
            return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
        except OSError:
            return "Linux"
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.version()}"
