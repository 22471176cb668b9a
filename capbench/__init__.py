"""Benchmark and validation harness for video export pipelines.

Every name of `__all__` is loaded when it is first used: `import capbench` alone loads no codec and no GPU library.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from capbench import errors
from capbench.errors import CapbenchError

if TYPE_CHECKING:
    from capbench.results import Comparison, ExportReport, RunResult, ValidationReport, Verdict

__all__ = [
    "CapbenchError",
    "Comparison",
    "ExportReport",
    "RunResult",
    "ValidationReport",
    "Verdict",
    "__version__",
    "errors",
]

_HOMES = {
    "Comparison": "capbench.results",
    "ExportReport": "capbench.results",
    "RunResult": "capbench.results",
    "ValidationReport": "capbench.results",
    "Verdict": "capbench.results",
}
"""Public name to the module that defines it."""

__version__: str


if not TYPE_CHECKING:  # a type checker reads the imports above, and then knows a name that is misspelt

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return version("capbench")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
