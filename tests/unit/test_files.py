"""A file gets its name when it is complete, and a failure leaves nothing."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from capbench.files import partial_path, write_atomic


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("content", "stored"), [("größe\n", "größe\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_a_file_is_written_whole(tmp_path: Path, content: str | bytes, stored: bytes) -> None:
    target = tmp_path / "result.json"
    target.write_text("before")

    write_atomic(target, content)

    assert target.read_bytes() == stored
    assert _names(tmp_path) == ["result.json"]


def test_the_partial_file_lies_beside_its_target_with_the_same_suffix(tmp_path: Path) -> None:
    with partial_path(tmp_path / "out.mp4") as partial:
        assert (partial.parent, partial.suffix, partial.name[0]) == (tmp_path, ".mp4", ".")
        assert not partial.exists()
        partial.touch()

    assert _names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("before")

    def fail_half_way() -> None:
        with partial_path(target) as partial:
            partial.write_text("half")
            raise failure

    with pytest.raises(failure):
        fail_half_way()

    assert target.read_text() == "before"
    assert _names(tmp_path) == ["out.mp4"]


def test_a_body_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), partial_path(tmp_path / "out.mp4"):
        pass

    assert _names(tmp_path) == []


def test_a_target_that_cannot_be_replaced_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(OSError, match="folder"):
        write_atomic(tmp_path / "folder", "text")

    assert _names(tmp_path) == ["folder"]


def test_two_writers_of_one_target_do_not_share_a_partial_file(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with partial_path(target) as one, partial_path(target) as other:
        assert one != other
        one.touch()
        other.touch()

    assert _names(tmp_path) == ["out.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits the whole path and not the name")
@pytest.mark.parametrize("stem", ["n" * 250, "🎬" * 62], ids=["ascii", "wide"])
def test_a_name_of_full_length_has_room_for_its_partial_file(tmp_path: Path, stem: str) -> None:
    """File systems allow 255 bytes a name, and the partial file's name is longer than its target's."""
    target = tmp_path / f"{stem}.mp4"

    write_atomic(target, "text")

    assert target.read_text() == "text"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows asks for a privilege to make links")
class TestLinks:
    """A link stays a link; what it leads to is replaced in one step."""

    def test_the_target_of_a_link_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        real, link = tmp_path / "real" / "result.json", tmp_path / "link.json"
        real.write_text("before")
        link.symlink_to(real)
        inode = real.stat().st_ino

        write_atomic(link, "after")

        assert link.is_symlink()
        assert real.read_text() == "after"
        assert real.stat().st_ino != inode  # replaced, not overwritten
        assert _names(tmp_path / "real") == ["result.json"]

    def test_a_link_to_nothing_makes_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "link.json").symlink_to("real.json")

        write_atomic(tmp_path / "link.json", "text")

        assert (tmp_path / "link.json").is_symlink()
        assert (tmp_path / "real.json").read_text() == "text"

    def test_a_partial_file_lies_where_the_link_leads(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "out.mp4").symlink_to(tmp_path / "real" / "video.mp4")

        with partial_path(tmp_path / "out.mp4") as partial:
            assert partial.parent == tmp_path / "real"
            partial.write_bytes(b"video")

        assert (tmp_path / "out.mp4").is_symlink()
        assert (tmp_path / "real" / "video.mp4").read_bytes() == b"video"

    def test_links_in_a_circle_are_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "one").symlink_to("two")
        (tmp_path / "two").symlink_to("one")

        with pytest.raises(OSError, match="one"):
            write_atomic(tmp_path / "one", "text")

        assert _names(tmp_path) == ["one", "two"]


def _write_through_partial(target: Path, content: bytes) -> None:
    with partial_path(target) as partial:
        partial.write_bytes(content)


_WRITERS = pytest.mark.parametrize("write", [write_atomic, _write_through_partial])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither FIFOs nor device files")
class TestWhatIsNoRegularFile:
    """Replacing a device, a FIFO or an open descriptor would destroy it: it is written to."""

    @_WRITERS
    @pytest.mark.parametrize("linked", [False, True])
    def test_a_fifo_gets_the_content(
        self, tmp_path: Path, write: Callable[[Path, bytes], None], *, linked: bool
    ) -> None:
        fifo = tmp_path / "fifo.json"
        os.mkfifo(fifo)
        if linked:
            (tmp_path / "link.json").symlink_to(fifo)
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
        reader.start()

        write(tmp_path / "link.json" if linked else fifo, b"x" * 200_000)

        reader.join(30)
        assert got == [b"x" * 200_000]
        assert stat.S_ISFIFO(fifo.stat().st_mode)
        assert _names(tmp_path) == (["fifo.json", "link.json"] if linked else ["fifo.json"])

    def test_a_fifo_that_nobody_reads_is_given_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("capbench.files.READER_TIMEOUT_S", 0.05)
        os.mkfifo(tmp_path / "fifo")

        with pytest.raises(TimeoutError):
            write_atomic(tmp_path / "fifo", "text")

    @_WRITERS
    def test_a_device_stays_a_device(self, tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
        device = tmp_path / "null"
        try:
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            device.write_bytes(b"")
        except PermissionError:
            pytest.skip("only root may make a device, and only where devices are allowed")

        write(device, b"text")

        assert stat.S_ISCHR(device.stat().st_mode)
        assert _names(tmp_path) == ["null"]

    @_WRITERS
    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
    def test_an_open_descriptor_is_appended_to(
        self, tmp_path: Path, write: Callable[[Path, bytes], None], name: str
    ) -> None:
        """`--json /dev/stdout >> log`: what stands in the log stays, and later output follows."""
        if not os.path.lexists(name):
            pytest.skip(f"this system has no {name}")
        log = tmp_path / "log"
        log.write_text("before\n")
        saved = os.dup(1)
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            try:
                write(Path(name), b"record\n")
                os.write(1, b"after\n")
            finally:
                os.dup2(saved, 1)
                os.close(saved)

        assert log.read_text() == "before\nrecord\nafter\n"
