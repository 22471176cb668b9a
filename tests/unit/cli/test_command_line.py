"""How a verb's end becomes an exit code and at most one line, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from typer.models import CommandInfo

from capbench.cli.app import app

_VERB = """
import os, signal, sys, time
from capbench import errors
from capbench.cli.app import app, run_app

@app.command()
def act(wanted: int = 0) -> None:
    {body}

sys.exit(run_app())
"""


def _run(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb with this body in a process of its own."""
    command = [sys.executable, "-c", _VERB.format(body=body), "act", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("raise errors.SourceError('no video in a.txt')", 2, "capbench: no video in a.txt"),
        ("raise errors.AdapterError('no adapter')", 4, "capbench: no adapter"),
        ("raise errors.PipelineError('stopped', stage='encode')", 1, "capbench: stopped"),
        ("raise errors.OutputError('cannot write /x')", 2, "capbench: cannot write /x"),
        ("raise errors.CancelledExportError('interrupted at frame 3')", 130, "capbench: interrupted at frame 3"),
        ("raise KeyboardInterrupt", 130, "capbench: interrupted"),
        ("raise errors.InputError('a\\nb \\x1b[31m')", 2, "capbench: a; b \\x1b[31m"),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(body: str, code: int, line: str) -> None:
    ended = _run(body)

    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", line + "\n")


def test_an_unexpected_exception_keeps_its_traceback() -> None:
    ended = _run("print('so far'); raise ZeroDivisionError('a bug')")

    assert ended.returncode == 1
    assert ended.stdout == "so far\n"
    assert "Traceback" in ended.stderr
    assert ended.stderr.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.parametrize("arguments", [("--unknown",), ("--wanted", "many"), ("surplus",)])
def test_a_wrong_command_line_exits_2(arguments: tuple[str, ...]) -> None:
    ended = _run("print('ran')", *arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert arguments[0] in ended.stderr


def test_a_verb_chooses_its_exit_code() -> None:
    assert _run("import typer; raise typer.Exit(3)").returncode == 3


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


@pytest.mark.parametrize("verb", app.registered_commands, ids=lambda verb: verb.callback.__name__)
def test_every_verb_shows_an_example(verb: CommandInfo) -> None:
    assert verb.callback is not None
    name = verb.name or verb.callback.__name__

    assert f"capbench {name}" in f"{verb.epilog}{verb.callback.__doc__}"
