"""Files that a user named: written atomically, read up to a limit, errors in one line."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import select
import shutil
import stat
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from capbench.errors import InputError

__all__ = [
    "describe_os_error",
    "is_disk_full",
    "is_file",
    "is_folder",
    "is_partial",
    "parse_json",
    "partial_path",
    "read_bytes",
    "read_json",
    "read_text",
    "read_toml",
    "shown_path",
    "write_atomic",
]

TOML_LIMIT_BYTES = 2**20
"""Scene, matrix and gate files are written by hand; a matrix of a thousand cases takes 100 kB."""
JSON_LIMIT_BYTES = 2**28
"""The largest records are run files with hours of samples (some megabytes) and the history of years."""
PIPE_TIMEOUT_S = 60.0
"""How long a pipe may take to deliver all its text; what feeds a pipe here has usually ended before."""
READER_TIMEOUT_S = 60.0
"""How long a FIFO that is written to waits for a reader to open it."""
NESTING_LIMIT = 64
"""Tables and arrays inside each other; files of capbench need six. Python's own limits lie at some hundreds."""
INTEGER_LIMIT = 2**63
"""TOML promises 64 bits. Longer numbers cannot be printed (Python stops at 4,300 digits), or compared with floats."""

_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART}){{{NESTING_LIMIT}}}")
"""tomllib takes time with the square of a dotted key's parts: a key as long as the size limit would take hours."""
_PARTIAL_NAME = re.compile(r"\..{1,48}\.[0-9a-f]{8}\.partial(\.[^.]+)?", re.DOTALL)


def is_partial(name: str) -> bool:
    """Whether a file's name is one that `partial_path` gives: what a killed process was writing."""
    return _PARTIAL_NAME.fullmatch(name) is not None


@contextlib.contextmanager
def partial_path(target: Path) -> Iterator[Path]:
    """Path to write to; its content is at `target` when the body has succeeded, and nowhere when it failed.

    A regular file is replaced in one step, by a file that was written beside it. A link is followed: what it leads to
    is replaced, the link stays. Anything else (a device, a FIFO, an open descriptor such as `/dev/stdout`) is written
    to when the body is done. The suffix is kept, because FFmpeg picks the container by it. Raises whatever the body,
    the rename or the writing raises.
    """
    if _is_written_to(target):
        with tempfile.TemporaryDirectory(prefix="capbench-") as folder:
            complete = Path(folder) / f"complete{target.suffix}"
            yield complete
            with complete.open("rb") as source, _open_special(target) as sink:
                shutil.copyfileobj(source, sink)
        return
    real = Path(os.path.realpath(target))
    # 48 characters of up to 4 bytes leave room for the rest in the 255 bytes that a file system allows.
    partial = real.with_name(f".{real.stem[:48]}.{secrets.token_hex(4)}.partial{real.suffix}")
    try:
        yield partial
        partial.replace(real)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write a whole file, flushed to disk before it gets its name. Other targets as in `partial_path`.

    Raises `OSError`.
    """
    # A name that is no UTF-8 on the disk must not cost the whole page that shows it.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    if _is_written_to(target):
        with _open_special(target) as sink:
            sink.write(data)
        return
    with partial_path(target) as partial, partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _is_written_to(target: Path) -> bool:
    """Whether replacing `target` would destroy it: it exists and is neither a regular file nor a folder."""
    if _descriptor_of(target) is not None:
        return True
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _descriptor_of(target: Path) -> int | None:
    """Number of this process's open file that `/dev/stdout`, `/dev/fd/N` and their like name; None for other paths."""
    folders = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    path = target
    for _ in range(40):  # the kernel follows no more links either
        parent = os.path.realpath(path.parent)
        if parent in folders and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = Path(parent) / path.readlink()
    return None


def _open_special(target: Path) -> IO[bytes]:
    descriptor = _descriptor_of(target)
    if descriptor is not None:
        return os.fdopen(os.dup(descriptor), "wb")  # opening it by name would begin at the file's start again
    if not stat.S_ISFIFO(target.stat().st_mode):
        return target.open("wb")
    deadline_s = time.monotonic() + READER_TIMEOUT_S
    while True:
        try:
            number = os.open(target, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody has it open for reading
                raise
            if time.monotonic() > deadline_s:
                raise TimeoutError(
                    errno.ETIMEDOUT, f"it was not opened for reading within {READER_TIMEOUT_S:g} s", str(target)
                ) from error
        time.sleep(0.02)
    os.set_blocking(number, True)
    return os.fdopen(number, "wb")


def is_file(path: Path) -> bool:
    """Whether something that can be read like a file is there: a regular file or a pipe.

    False too where the name cannot be looked up: too long, behind a folder that may not be searched, with a NUL.
    """
    mode = _mode_of(path)
    return mode is not None and (stat.S_ISREG(mode) or stat.S_ISFIFO(mode))


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False too where the name cannot be looked up."""
    mode = _mode_of(path)
    return mode is not None and stat.S_ISDIR(mode)


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def shown_path(path: Path) -> str:
    """A path as text that can be written anywhere: bytes that are no UTF-8, which POSIX allows, become escapes."""
    return str(path).encode(errors="backslashreplace").decode()


def describe_os_error(error: OSError | ValueError) -> str:
    """What the system says about a file, for the end of a sentence. `ValueError` is Python's word for a NUL."""
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        return text[:1].lower() + text[1:]
    return "its name holds a NUL character"


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that a disk or a quota is used up."""
    for _ in range(10):  # causes are raised by code, which does not nest deeper
        if error is None:
            return False
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def read_text(path: Path, error: type[InputError] = InputError, *, limit_bytes: int = TOML_LIMIT_BYTES) -> str:
    """The UTF-8 text of a file or of what a pipe delivers.

    Raises `error` in one line for everything else: no such file, a folder, a device (`/dev/zero` never ends), more than
    `limit_bytes`, a pipe that is not done in `PIPE_TIMEOUT_S`, bytes that are not UTF-8.
    """
    data = read_bytes(path, error, limit_bytes=limit_bytes)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: not a text file in UTF-8: {problem.reason} at byte {problem.start}") from problem


def read_bytes(path: Path, error: type[InputError] = InputError, *, limit_bytes: int) -> bytes:
    """All of a file or of what a pipe delivers. Raises `error` as `read_text` does."""
    try:
        return bytes(_read_bytes(path, error, limit_bytes))
    except (OSError, ValueError) as problem:
        if isinstance(problem, InputError):
            raise
        shown = str(path) if len(str(path)) <= 300 else f"{str(path)[:300]}..."
        raise error(f"cannot read {shown}: {describe_os_error(problem)}") from problem


def _read_bytes(path: Path, error: type[InputError], limit_bytes: int) -> bytes:
    mode = path.stat().st_mode  # before opening: to open a device can already do something
    if stat.S_ISDIR(mode):
        raise error(f"cannot read {path}: it is a folder; name a file inside it")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        kind = "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise error(f"cannot read {path}: it is {kind}; name a file or a pipe")
    # Without waiting for a writer: that wait would have no end. Windows has no FIFOs, and no such flag.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb", buffering=0) as file:
        data = bytearray()
        deadline_s = time.monotonic() + PIPE_TIMEOUT_S
        while len(data) <= limit_bytes:
            if stat.S_ISFIFO(mode) and not _is_readable(number, deadline_s - time.monotonic()):
                raise error(f"cannot read {path}: the pipe was not written and closed within {PIPE_TIMEOUT_S:g} s")
            chunk = file.read(min(2**20, limit_bytes + 1 - len(data)))
            if not chunk:
                return bytes(data)
            data += chunk
    raise error(f"cannot read {path}: it has more than {limit_bytes} bytes, the limit for such a file")


def _is_readable(number: int, timeout_s: float) -> bool:
    """Wait until a pipe has data or no writer any more."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def read_toml(path: Path, error: type[InputError] = InputError) -> dict[str, object]:
    """The tables of a TOML file. Raises `error` in one line, also for what would cost time or memory without end."""
    return parse_toml(read_text(path, error), path, error)


def parse_toml(text: str, path: Path, error: type[InputError] = InputError) -> dict[str, object]:
    """As `read_toml`, for a caller that needs the text as well."""
    if (long_key := _LONG_KEY.search(text)) is not None:
        line = text.count("\n", 0, long_key.start()) + 1
        raise error(f"{path}: not TOML of this kind: line {line} has a key of more than {NESTING_LIMIT} parts")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{path}: not TOML: {problem}") from problem
    except RecursionError as problem:
        raise error(f"{path}: nested too deeply: at most {NESTING_LIMIT} levels") from problem
    except ValueError as problem:  # int() of more than 4,300 digits
        raise error(f"{path}: not TOML: a number has too many digits; integers have at most 64 bits") from problem
    _check_values(values, path, error, allows_nul=False)
    return values


def read_json(path: Path, error: type[InputError] = InputError, *, limit_bytes: int = JSON_LIMIT_BYTES) -> object:
    """The value of a JSON file. Raises `error` in one line."""
    return parse_json(read_text(path, error, limit_bytes=limit_bytes), path, error)


def parse_json(text: str, path: Path, error: type[InputError] = InputError) -> object:
    """The value of JSON text that came from `path`. Raises `error` in one line."""
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as problem:
        raise error(f"{path}: half written or not JSON: {problem}") from problem
    except RecursionError as problem:
        raise error(f"{path}: nested too deeply: at most {NESTING_LIMIT} levels") from problem
    except ValueError as problem:
        raise error(f"{path}: not JSON: a number has too many digits; integers have at most 64 bits") from problem
    _check_values(value, path, error, allows_nul=True)
    return value


def _check_values(root: object, path: Path, error: type[InputError], *, allows_nul: bool) -> None:
    """Refuse values that later steps could only crash on. Walks without recursion: nesting is one of them."""
    pending: list[tuple[object, int]] = [(root, 0)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, dict | list):
            if depth >= NESTING_LIMIT:
                raise error(f"{path}: nested too deeply: at most {NESTING_LIMIT} levels")
            pending += [(inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value)]
            if isinstance(value, dict):
                pending += [(key, depth + 1) for key in value]
        elif isinstance(value, int) and not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            raise error(f"{path}: an integer of {value.bit_length()} bits; integers have at most 64 bits")
        elif isinstance(value, str) and not allows_nul and "\0" in value:
            shown = value.replace("\0", "\\u0000")
            raise error(f"{path}: a NUL character in {shown[:60]!r}; no name or setting has one")
