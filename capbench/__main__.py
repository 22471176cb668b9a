"""`python -m capbench`, and the program `capbench`: ready for a signal before anything else is imported."""

import os
import signal
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line and exit with its code."""
    # Importing the command line takes part of a second. An exception that a signal raises meanwhile could end up in any
    # module's import, and some turn it into another one; there is nothing to clean up yet.
    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _end)
    from capbench.cli import main as run  # noqa: PLC0415  only now, for the reason above

    run()


def _end(_signal: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, b"capbench: interrupted\n")
    finally:
        os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
