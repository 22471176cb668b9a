"""Where the state of the machine is read; tests have sources of their own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from capbench.installation import install_command

__all__ = ["MachineSources", "UnreadableError", "first_line", "first_number"]

_ANSWER_TIMEOUT_S = 10.0
"""`typeperf` needs a second for a rate, `powercfg` and `pmset` milliseconds; a cold start of a service takes more."""
_LONGEST_ANSWER = 1_000_000
"""Characters of a program's answer that are looked at."""


class UnreadableError(Exception):
    """Something of the machine's state cannot be read; the message says why."""


def _ask_program(command: Sequence[str]) -> str:
    """What a program of the system prints. Raises `UnreadableError`."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_ANSWER_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise UnreadableError(f"{command[0]} is not on PATH") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreadableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise UnreadableError(f"{command[0]} ended with exit code {done.returncode}")
    return done.stdout[:_LONGEST_ANSWER]


def _process_names() -> dict[int, str]:
    """Process id to name of everything that runs and may be seen."""
    return {process.pid: process.info["name"] or "" for process in psutil.process_iter(["name"])}


def _battery() -> tuple[float, bool] | None:
    """Charge in percent and whether a charger is plugged in; None without a battery."""
    found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if found is None else (float(found.percent), bool(found.power_plugged))


@functools.cache
def _nvml() -> Any:  # pynvml has no types
    """NVML, initialised once. Raises `UnreadableError`."""
    try:
        import pynvml  # an optional extra
    except ImportError:
        raise UnreadableError(f"nvidia-ml-py is not installed; install it with: {install_command('nvml')}") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise UnreadableError(f"NVML: {error}") from error
    return pynvml


@dataclass(frozen=True, slots=True)
class MachineSources:
    """Everything that is asked for the state of the machine."""

    platform: str = sys.platform
    """As `sys.platform`."""
    sys_folder: Path = Path("/sys")
    """The kernel's files, on Linux."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Environment variables, which tell a remote session."""
    ask: Callable[[Sequence[str]], str] = _ask_program
    """Runs a program of the system and returns what it prints. Raises `UnreadableError`."""
    process_names: Callable[[], Mapping[int, str]] = _process_names
    """Process id to name. Raises `psutil.Error` or `OSError`."""
    battery: Callable[[], tuple[float, bool] | None] = _battery
    """Charge in percent and whether it is plugged in, on systems other than Linux."""
    nvml: Callable[[], Any] = _nvml  # pynvml has no types
    """NVML. Raises `UnreadableError`."""


def first_line(file: Path) -> str | None:
    """What a file of the kernel says; None where it is not there or answers with an error."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def first_number(file: Path) -> float | None:
    """The number that a file of the kernel has; None where it has none."""
    text = first_line(file)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
