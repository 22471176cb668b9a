"""The instrument: starts each run as a separate process, measures it from outside, and records the measurements.

Names are imported when first used: the measured process lives in this package too, and must not carry the harness's
modules in its memory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capbench.harness.matrix.load_matrix import load_matrix
    from capbench.harness.matrix.model import Case, RunMatrix, Subject
    from capbench.harness.run.runner import run_matrix
    from capbench.harness.run.schedule import StoppingRule

__all__ = ["Case", "RunMatrix", "StoppingRule", "Subject", "load_matrix", "run_matrix"]

_HOME = {
    "Case": "matrix.model",
    "RunMatrix": "matrix.model",
    "StoppingRule": "run.schedule",
    "Subject": "matrix.model",
    "load_matrix": "matrix.load_matrix",
    "run_matrix": "run.runner",
}


def __getattr__(name: str) -> object:
    """Import `name` from its module. Raises `AttributeError`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
