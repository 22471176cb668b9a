"""A matrix with footage from a server on this machine: fetched, checked, normalised, exported, recorded; or refused."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.results.folder import read_folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        """Nothing: the test's output is for failures."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL and SHA-256 of a clip of half a second."""
    folder = tmp_path / "served"
    folder.mkdir()
    with av.open(str(folder / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame(96, 72, "yuv420p")
            for place, plane in enumerate(frame.planes):
                plane_samples(plane)[:] = 128 if place else 60 + 20 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sha256 = hashlib.sha256((folder / "clip.mkv").read_bytes()).hexdigest()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/clip.mkv", sha256
        server.shutdown()
        thread.join()


def _matrix(tmp_path: Path, url: str, sha256: str) -> Path:
    path = tmp_path / "matrix.toml"
    path.write_text(
        f"""
[defaults]
subjects = ["floor"]
blocks = 1
metrics = ["psnr"]
settle_s = 0
warmup = false
drift_control = false

[[footage]]
name = "plain"
url = "{url}"
sha256 = "{sha256}"
licence = "made by the test"
width = 64
height = 48
fps = 30
duration_s = 0.4

[[case]]
name = "foreign"
footage = "plain"
"""
    )
    return path


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_run_records_the_clip_and_its_normalisation(served: tuple[str, str], tmp_path: Path) -> None:
    url, sha256 = served
    out = tmp_path / "out"

    ended = CliRunner().invoke(command_line.app, ["run", str(_matrix(tmp_path, url, sha256)), "--out", str(out), "-q"])

    assert ended.exit_code == 0, ended.output
    (run,) = read_folder(out).runs
    assert run.footage is not None
    assert (run.footage.url, run.footage.sha256, run.footage.licence) == (url, sha256, "made by the test")
    assert (run.footage.width, run.footage.fps, run.footage.duration_s) == (64, "30", 0.4)
    assert run.frames == run.footage.frames == 12
    (normalised,) = (tmp_path / "cache" / "footage").glob("*.mp4")
    assert hashlib.sha256(normalised.read_bytes()).hexdigest() == run.footage.normalised_sha256


def test_another_hash_is_refused_by_name(served: tuple[str, str], tmp_path: Path) -> None:
    ended = CliRunner().invoke(
        command_line.app, ["run", str(_matrix(tmp_path, served[0], "0" * 64)), "--out", str(tmp_path / "out"), "-q"]
    )

    assert ended.exit_code == 2
    assert "footage 'plain'" in ended.output
    assert "SHA-256" in ended.output
    assert not (tmp_path / "cache" / "footage").exists()


def test_without_a_network_it_is_this_machine_that_cannot(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, "http://127.0.0.1:9/clip.mkv", "0" * 64)

    ended = CliRunner().invoke(command_line.app, ["run", str(matrix), "--out", str(tmp_path / "out"), "-q"])

    assert ended.exit_code == 4
    assert "footage 'plain': cannot reach 127.0.0.1:9" in ended.output
