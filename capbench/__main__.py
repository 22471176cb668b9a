"""`python -m capbench`, and the program `capbench`: ready for a signal before anything else is imported."""

# What `signal` is made of, and there at once: `signal` itself loads enum and what that needs, 2 to 6 ms in which Python
# alone would meet a signal.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STREAMS = "PYTHONIOENCODING"


def main() -> None:
    """Run the command line and exit with its code."""
    # Importing the command line takes part of a second. An exception that a signal raises meanwhile could end up in any
    # module's import, and some turn it into another one; there is nothing to clean up yet.
    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _end)
    _name_files_in_utf8()
    from capbench.cli import main as run  # noqa: PLC0415  only now, for the reason above

    run()


def _end(_number: int, _frame: object) -> None:
    try:
        os.write(2, b"capbench: interrupted\n")
    finally:
        os._exit(_INTERRUPTED)


def _name_files_in_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale is another one.

    Names in matrix, scene and result files are UTF-8, and Python could not even ask for such a file under the locale
    `C`. What is printed keeps the locale's encoding.
    """
    if sys.flags.utf8_mode:
        if os.environ.get(_STREAMS, "").endswith(":backslashreplace"):
            del os.environ[_STREAMS]  # ours; the programs that a matrix starts are not to see it
    elif os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        if sys.stdout is not None:
            os.environ.setdefault(_STREAMS, f"{sys.stdout.encoding}:backslashreplace")
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  this same program


if __name__ == "__main__":
    main()
