"""How a verb's end becomes an exit code and at most one line; what depends on streams and signals in real processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.models import CommandInfo

from capbench import errors
from capbench.cli.app import app, run_app
from capbench.recordings import RecordingSpec, make_recording

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells, signals and file names")

_VERB = """
import os, signal, sys, time
from capbench import errors
from capbench.cli.app import app, run_app

@app.command()
def act(wanted: int = 0, name: str = "") -> None:
    {body}

sys.exit(run_app())
"""


def _run(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb with this body in a process of its own."""
    command = [sys.executable, "-c", _VERB.format(body=body), "act", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Runs a verb that raises what it is given, or prints, in this process; returns the exit code."""

    def run(raised: BaseException | None, *arguments: str) -> int:
        monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
        monkeypatch.setattr(sys, "argv", ["capbench", "act", *arguments])

        @app.command()
        def act(wanted: int = 0, name: str = "") -> None:  # noqa: ARG001  it is on the command line
            if raised is not None:
                raise raised
            typer.echo(f"ran {wanted}")

        return run_app()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (errors.SourceError("no video in a.txt"), 2, "capbench: no video in a.txt"),
        (errors.AdapterError("no adapter"), 4, "capbench: no adapter"),
        (errors.PipelineError("stopped", stage="encode"), 1, "capbench: stopped"),
        (errors.OutputError("cannot write /x"), 2, "capbench: cannot write /x"),
        (errors.CancelledExportError("interrupted at frame 3"), 130, "capbench: interrupted at frame 3"),
        (KeyboardInterrupt(), 130, "capbench: interrupted"),
        (errors.InputError("a\nb \x1b[31m"), 2, "capbench: a; b \\x1b[31m"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_error_is_one_line_and_its_exit_code(
    raised: BaseException, code: int, line: str, act: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert act(raised) == code
    assert capfd.readouterr() == ("", line + "\n")


def test_an_error_is_the_exit_code_of_a_process() -> None:
    ended = _run("raise errors.AdapterError('no adapter')")

    assert (ended.returncode, ended.stdout, ended.stderr) == (4, "", "capbench: no adapter\n")


def test_an_unexpected_exception_keeps_its_traceback() -> None:
    ended = _run("print('so far'); raise ZeroDivisionError('a bug')")

    assert ended.returncode == 1
    assert ended.stdout == "so far\n"
    assert "Traceback" in ended.stderr
    assert ended.stderr.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.parametrize("arguments", [("--unknown",), ("--wanted", "many"), ("surplus",)])
def test_a_wrong_command_line_exits_2(
    arguments: tuple[str, ...], act: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    code, printed = act(None, *arguments), capfd.readouterr()

    assert (code, printed.out) == (2, "")
    assert arguments[0] in printed.err


def test_a_verb_chooses_its_exit_code(act: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert act(typer.Exit(3)) == 3
    assert act(None, "--wanted", "5") == 0
    assert capfd.readouterr() == ("ran 5\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could handle")
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_runs_the_clean_up_and_exits_130(signal_number: int) -> None:
    body = f"""
    try:
        os.kill(os.getpid(), {int(signal_number)})
        time.sleep(30)
    finally:
        print('cleaned up')"""

    ended = _run(body)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "cleaned up\n", "capbench: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE to imitate")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("body", ["print('x')", "print('x' * 1_000_000)", "print('x'); raise SystemExit(1)"])
def test_a_reader_that_went_away_is_not_an_error(body: str, unbuffered: str) -> None:
    """A short text breaks at the last flush, a long or unbuffered one inside the verb."""
    command = [sys.executable, "-c", _VERB.format(body="sys.stdin.read(); " + body), "act"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(input=b"go", timeout=60)

    assert (process.returncode, errors) == (141, b"")


def test_another_broken_pipe_is_a_bug() -> None:
    ended = _run("raise BrokenPipeError(32, 'child went away')")

    assert ended.returncode == 1
    assert "RuntimeError: a pipe other than stdout broke" in ended.stderr


def test_python_dash_m_prints_the_version() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "capbench", "--version"], capture_output=True, text=True, timeout=60, check=True
    )

    assert ended.stdout.startswith("capbench 0.")


_STREAMS = ((">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 2), ("2>/dev/full", 0))
"""Redirections, and the exit code of a verb that has nothing else to complain about."""


def _shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line by the shell; `$capbench` in it is the program."""
    program = f'"{sys.executable}" -m capbench'
    environment = {**os.environ, **variables}
    command = ["sh", "-c", line.replace("$capbench", program)]
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, timeout=100, check=False)


@_POSIX
@pytest.mark.parametrize(
    ("verb", "streams", "code"),
    [
        # Each way to write (rich's tables, typer's texts, an error) with each stream that it writes to.
        *(("media --list", *streams) for streams in _STREAMS),
        *(("--help", *streams) for streams in _STREAMS if streams[0] in (">&-", ">/dev/full")),
        *(("--version", *streams) for streams in _STREAMS if streams[0] in (">&-", ">/dev/full")),
        ("run --help", "<&- >&- 2>&-", 0),
        *(("check missing.toml", streams, 2) for streams, _ in _STREAMS if "2>" in streams),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_streams_that_cannot_be_written_end_in_one_line(
    verb: str, streams: str, code: int, unbuffered: str, tmp_path: Path
) -> None:
    """What a buffer still holds fails again at the end, and unbuffered (as containers often set it) there is none."""
    if "/dev/full" in streams and not Path("/dev/full").exists():
        pytest.skip("only Linux has /dev/full")

    ended = _shell(f"$capbench {verb} {streams}", tmp_path, PYTHONUNBUFFERED=unbuffered)

    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr
    assert ended.stderr.count(b"\n") <= 1


@_POSIX
def test_a_closed_stdout_is_not_given_to_a_file(tmp_path: Path) -> None:
    """The lowest free number is what the next opened file gets: the record would get what is printed besides."""
    ended = _shell("$capbench compare base.json new --json record.json >&-", tmp_path)
    exported = _shell("$capbench media --list >&- 2>&- <&-", tmp_path)

    assert (ended.returncode, exported.returncode) == (2, 0)
    assert list(tmp_path.iterdir()) == []


_EXPORT = "export '{name}.mp4' '{name}-out.mp4' --path passthrough --preset ultrafast"


@_POSIX
@pytest.mark.parametrize(
    ("name", "locale", "command"),
    [
        ("clé", "C", _EXPORT),
        (os.fsdecode(b"cl\xe9"), "C", "validate '{name}.mp4' '{name}.mp4'"),
        (os.fsdecode(b"cl\xe9"), "C.UTF-8", _EXPORT),
    ],
    ids=["utf-8 in C", "latin-1 in C", "latin-1 in UTF-8"],
)
def test_names_with_accents_work_in_every_locale(name: str, locale: str, command: str, tmp_path: Path) -> None:
    """Python names files by the locale; under `C`, without its own exceptions, it has no name for an accent.

    Validation names files as an export does, and loads its libraries for a second: once is enough.
    """
    if sys.platform == "darwin" and name != "clé":
        pytest.skip("file names are UTF-8 on macOS")
    clip = make_recording(RecordingSpec("tiny", 160, 90, 30, 0.1))
    (tmp_path / f"{name}.mp4").write_bytes(clip.read_bytes())
    variables = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if locale == "C" else {}
    line = "$capbench " + command.format(name=name) + f" --json '{name}.json'"

    done = _shell(line, tmp_path, **variables)
    refused = _shell(f"$capbench run '{name}.toml'", tmp_path, **variables)

    assert done.returncode == 0, done
    report = json.loads((tmp_path / f"{name}.json").read_bytes())
    assert report["reference"].startswith("cl") if "validate" in command else report["frames"] == 3
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1


@_POSIX
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_imports_exits_130(signal_number: int) -> None:
    """The first import of the program sends the signal: nothing of the command line has been loaded yet."""
    body = (
        "import os, sys\n"
        "class Sender:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'capbench.cli.app': os.kill(os.getpid(), {int(signal_number)})\n"
        "sys.meta_path.insert(0, Sender())\n"
        "from capbench.__main__ import main\n"
        "main()"
    )
    ended = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "capbench: interrupted\n")


@_POSIX
def test_a_failure_of_the_system_over_a_named_file_is_one_line(
    act: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    named = OSError(errno.ENAMETOOLONG, "File name too long", "n" * 300)

    assert act(named, "--name", "n" * 300) == 2
    assert capfd.readouterr().err == f"capbench: {'n' * 300}: file name too long\n"
    with pytest.raises(OSError, match="File name too long"):
        act(named)


@pytest.mark.parametrize("verb", app.registered_commands, ids=lambda verb: verb.callback.__name__)
def test_every_verb_shows_an_example(verb: CommandInfo) -> None:
    assert verb.callback is not None
    name = verb.name or verb.callback.__name__

    assert f"capbench {name}" in f"{verb.epilog}{verb.callback.__doc__}"
