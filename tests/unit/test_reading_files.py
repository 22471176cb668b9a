"""Reading a file that a user named: its text, or one line that says what is wrong, in bounded time and memory."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from capbench.errors import GateFileError, InputError
from capbench.files import INTEGER_LIMIT, NESTING_LIMIT, is_file, is_folder, read_json, read_text, read_toml

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither FIFOs nor device files")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.toml", "no such file or directory"),
        (".", "it is a folder"),
        ("absent/x.toml", "no such file or directory"),
        ("file.toml/x.toml", "not a directory"),
        ("n" * 300, "file name too long"),
        ("a\0b", "NUL"),
        pytest.param("/dev/zero", "it is a device", marks=_POSIX),
        pytest.param("/dev/null", "it is a device", marks=_POSIX),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file.toml").touch()

    with pytest.raises(GateFileError) as raised:
        read_text(tmp_path / name, GateFileError)

    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_a_text_in_another_encoding_is_refused_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes("name = 'größe'".encode("latin-1"))

    with pytest.raises(InputError, match=r"UTF-8.*byte 10"):
        read_toml(tmp_path / "latin.toml")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 101)

    assert len(read_text(tmp_path / "long", limit_bytes=101)) == 101
    with pytest.raises(InputError, match="more than 100 bytes"):
        read_text(tmp_path / "long", limit_bytes=100)


@_POSIX
class TestPipes:
    """Process substitution gives a pipe: `--gates <(generate)`."""

    def test_a_pipe_is_read_to_its_end(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"a = 1\n")
        os.close(writing)

        assert read_toml(Path(f"/dev/fd/{reading}")) == {"a": 1}
        os.close(reading)

    def test_a_pipe_that_ended_empty_is_empty(self) -> None:
        reading, writing = os.pipe()
        os.close(writing)

        assert read_text(Path(f"/dev/fd/{reading}")) == ""
        os.close(reading)

    def test_a_fifo_is_waited_for(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)

        def write_slowly() -> None:
            with fifo.open("wb", buffering=0) as file:
                file.write(b"a = ")
                time.sleep(0.05)
                file.write(b"1\n")

        writer = threading.Thread(target=write_slowly)
        writer.start()

        assert read_toml(fifo) == {"a": 1}
        writer.join(30)

    @pytest.mark.parametrize("has_writer", [False, True])
    def test_a_pipe_that_says_nothing_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_writer: bool
    ) -> None:
        monkeypatch.setattr("capbench.files.PIPE_TIMEOUT_S", 0.05)
        os.mkfifo(tmp_path / "fifo")
        writer = os.open(tmp_path / "fifo", os.O_RDWR) if has_writer else None

        with pytest.raises(InputError, match=r"within 0\.05 s"):
            read_text(tmp_path / "fifo")

        if writer is not None:
            os.close(writer)

    def test_an_endless_pipe_is_read_no_further_than_the_limit(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")

        def write_for_ever() -> None:
            with contextlib.suppress(BrokenPipeError), (tmp_path / "fifo").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)

        writer = threading.Thread(target=write_for_ever)
        writer.start()

        with pytest.raises(InputError, match="more than 100000 bytes"):
            read_text(tmp_path / "fifo", limit_bytes=100_000)
        writer.join(30)
        assert not writer.is_alive()


_DEEP = 5000
_HOSTILE_TOML = {
    "nested arrays": "a = " + "[" * _DEEP + "]" * _DEEP,
    "nested inline tables": "a = " + "{a = " * _DEEP + "1" + "}" * _DEEP,
    "nested a little too deep": "a = " + "[" * NESTING_LIMIT + "]" * NESTING_LIMIT,
    "a dotted key": ".".join("a" * 200_000) + " = 1",
    "a dotted key in quotes": ".".join(['"a"'] * 200_000) + " = 1",
    "a dotted header": "[" + " . ".join("a" * 200_000) + "]",
    "a dotted key in a table": "a = {" + ".".join("a" * 200_000) + " = 1}",
    "a long integer": "a = " + "9" * 5000,
    "a long hexadecimal integer": "a = 0x" + "f" * 5000,
    "an integer of 65 bits": f"a = {INTEGER_LIMIT}",
    "NUL in a value": 'a = "x\\u0000y"',
    "NUL in a key": '"x\\u0000y" = 1',
    "no TOML": "a = = 1",
    "spaces": " " * 1_000_000 + "!",
    "one word": "a" * 1_000_000,
}


@pytest.mark.parametrize("text", _HOSTILE_TOML.values(), ids=_HOSTILE_TOML.keys())
def test_hostile_toml_is_one_short_line_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    begun_s = time.monotonic()

    with pytest.raises(GateFileError, match=r"x\.toml") as raised:
        read_toml(tmp_path / "x.toml", GateFileError)

    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    assert time.monotonic() - begun_s < 20  # quadratic time takes minutes


def test_ordinary_toml_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(f"a.b.c = [{{d = 1.5}}, {{d = {INTEGER_LIMIT - 1}}}]\n# e.f.g\n['x.y']\n")

    assert read_toml(tmp_path / "x.toml") == {"a": {"b": {"c": [{"d": 1.5}, {"d": INTEGER_LIMIT - 1}]}}, "x.y": {}}


_HOSTILE_JSON = {
    "nested arrays": "[" * 200_000 + "]" * 200_000,
    "nested a little too deep": '{"a": ' * 100 + "1" + "}" * 100,
    "a long integer": '{"a": ' + "9" * 5000 + "}",
    "an integer of 65 bits": f'{{"a": {INTEGER_LIMIT}}}',
    "half of it": '{"a": [1, ',
    "nothing": "",
}


@pytest.mark.parametrize("text", _HOSTILE_JSON.values(), ids=_HOSTILE_JSON.keys())
def test_hostile_json_is_one_short_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(GateFileError, match=r"x\.json") as raised:
        read_json(tmp_path / "x.json", GateFileError)

    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_what_is_there_is_asked_without_an_exception(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert is_file(tmp_path / "file")
    assert is_folder(tmp_path)
    for name in ("absent", "n" * 300, "a\0b", "file/inside", "."):
        assert not is_file(tmp_path / name)
    for name in ("absent", "n" * 300, "a\0b", "file"):
        assert not is_folder(tmp_path / name)
