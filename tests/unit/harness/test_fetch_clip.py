"""Clips by URL: fetched once, checked, and refused in one line."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import MatrixError, UnavailableError
from capbench.harness.matrix.model import Download
from capbench.harness.matrix.sources.fetch_clip import fetch_clip

_CONTENT = b"a clip" * 1000
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        """Nothing: the test's output is for failures."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server of the folder `served`, by its URL."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "clip.mp4").write_bytes(_CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "served"))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_clip_is_fetched_once(server: str, tmp_path: Path) -> None:
    download = Download(url=f"{server}/clip.mp4", sha256=_SHA256.upper())

    found = fetch_clip("case 'c-clip'", download, cache=tmp_path / "cache")
    (tmp_path / "served" / "clip.mp4").unlink()
    again = fetch_clip("case 'c-clip'", download, cache=tmp_path / "cache")

    assert found == again
    assert found.read_bytes() == _CONTENT
    assert found.suffix == ".mp4"


def test_other_bytes_are_refused_and_not_kept(server: str, tmp_path: Path) -> None:
    download = Download(url=f"{server}/clip.mp4", sha256="0" * 64)

    with pytest.raises(MatrixError, match=r"its SHA-256 is not 0{64}") as caught:
        fetch_clip("case 'c-clip'", download, cache=tmp_path / "cache")

    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_is_not_there_is_one_line(server: str, tmp_path: Path) -> None:
    download = Download(url=f"{server}/absent.mp4", sha256=_SHA256)

    with pytest.raises(MatrixError, match="case 'c-clip': cannot fetch http") as caught:
        fetch_clip("case 'c-clip'", download, cache=tmp_path / "cache")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/clip.mp4", "http://nowhere.invalid/clip.mp4"])
def test_without_a_network_it_says_so_as_a_machine_that_cannot(tmp_path: Path, url: str) -> None:
    """Nothing about the matrix file is wrong: exit code 4, not 2."""
    with pytest.raises(UnavailableError, match="cannot reach") as caught:
        fetch_clip("case 'c-clip'", Download(url=url, sha256=_SHA256), cache=tmp_path / "cache")

    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_server_without_end_does_not_fill_the_disk(server: str, tmp_path: Path) -> None:
    download = Download(url=f"{server}/clip.mp4", sha256=_SHA256)

    with pytest.raises(MatrixError, match="larger than"):
        fetch_clip("case 'c-clip'", download, cache=tmp_path / "cache", limit_bytes=100)

    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
