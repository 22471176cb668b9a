"""A file gets its name when it is complete, and a failure leaves nothing."""

from __future__ import annotations

import sys
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
