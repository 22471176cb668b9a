"""The installation that this process runs from: how something is added to it, and who must not see it."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

__all__ = ["UNINSTALLED", "environment_for", "install_command", "version_of"]

_EXTRAS = {"nvml": ("nvidia-ml-py",), "parquet": ("pyarrow",), "vmaf": ("imageio-ffmpeg",), "fleet": ("distributed",)}
"""What the extras need where no metadata says it; pyproject.toml has the versions."""
UNINSTALLED = "0"
"""Instead of the version of a copy that was never installed: lower than any."""
_STEER_IMPORTS = ("PYTHONPATH", "PYTHONHOME")
"""Variables that put packages before those of whichever interpreter is started."""


def environment_for(python: Path | None) -> dict[str, str]:
    """Environment variables to start an interpreter with; None is that of this process.

    An interpreter of another environment is not told where this one finds its packages: with a PYTHONPATH that leads to
    a checkout, two revisions side by side would be one and the same code.
    """
    if python is None or python == Path(sys.executable):
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name not in _STEER_IMPORTS}


def version_of(package: str) -> str:
    """Version of a package as installed; `UNINSTALLED` for one that is imported from a checkout, or not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return UNINSTALLED


def install_command(extra: str) -> str:
    """Command that installs what an extra of capbench needs into the environment that this process runs in.

    It names the packages of the extra and never capbench itself: an index need not have this project under that name,
    and what it has instead would run with the user's rights.
    """
    packages = _packages_of(extra)
    environment = Path(sys.prefix)
    if environment.parent.name == "venvs" and environment.parent.parent.name == "pipx":
        return shlex.join(["pipx", "inject", environment.name, *packages])
    if importlib.util.find_spec("pip") is None:  # uv makes environments without
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, *packages])
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def _packages_of(extra: str) -> list[str]:
    """Requirements of an extra by the installed metadata, `pyarrow>=18.0`, without their marker."""
    try:
        lines = requires("capbench") or []
    except PackageNotFoundError:  # imported from a checkout that was never installed
        lines = []
    marker = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    found = [line.partition(";")[0].strip() for line in lines if marker.search(line.partition(";")[2])]
    return found or list(_EXTRAS[extra])
