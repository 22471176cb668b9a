"""The command line: importing a verb's module registers it."""

from __future__ import annotations

import sys

from capbench.cli import (  # noqa: F401  importing a verb registers it
    baseline,
    calibrate,
    compare,
    doctor,
    export,
    history,
    media,
    report,
    results,
    run,
    selftest,
    validate,
)
from capbench.cli.app import run_app

__all__ = ["main"]


def main() -> None:
    """Entry point of the `capbench` program."""
    sys.exit(run_app())
