"""The command line: importing a verb's module registers it."""

from __future__ import annotations

import os
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
    run,
    selftest,
    validate,
)
from capbench.cli.app import INTERRUPTED, run_app
from capbench.cli.fleet_verbs import certificates, join, status  # noqa: F401
from capbench.cli.measure import check, try_commands  # noqa: F401
from capbench.cli.publish import bundle, pool, results  # noqa: F401

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    code = run_app()
    if code == INTERRUPTED:
        # Python would end by SIGINT instead of with this code where the interrupt once reached code that was compiled
        # from a string (a dataclass, a named tuple): it remembers that an interrupt was not handled there.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
