"""Playlists from strangers: nothing outside their folder is opened, nothing is fetched, nothing waits for ever."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from capbench.errors import SourceError, UnsafePlaylistError
from capbench.pipeline.decode.probe import probe_source
from capbench.pipeline.export import export
from tests.hostile_playlists import OUTSIDERS, UNUSABLE, HlsFolder, of_segment

NAMED_BY_THE_ISSUE = ("file-url", "file-colon", "absolute", "dot-dot")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hls")
    HlsFolder.create(folder)
    return folder


@pytest.fixture
def hls(made: Path, tmp_path: Path) -> HlsFolder:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return HlsFolder(tmp_path / "inside", tmp_path / "outside")


def test_good_folder_is_read(hls: HlsFolder) -> None:
    """The proof that the refusals below are about what is named."""
    assert probe_source(hls.write(of_segment("segment000.m4s"))).width == 160
    assert probe_source(hls.folder / "playlist.m3u8").audio_streams == 1


@pytest.mark.parametrize("name", OUTSIDERS)
def test_playlist_that_names_something_outside_is_refused(name: str, hls: HlsFolder) -> None:
    playlist = hls.write(OUTSIDERS[name](hls))

    with pytest.raises(SourceError) as caught:
        probe_source(playlist)

    if name in NAMED_BY_THE_ISSUE:
        assert isinstance(caught.value, UnsafePlaylistError)
        assert "outside/segment000.m4s" in str(caught.value)


@pytest.mark.parametrize("name", UNUSABLE)
def test_playlist_that_cannot_be_read_to_an_end_is_refused(name: str, hls: HlsFolder) -> None:
    text, words = UNUSABLE[name]

    with pytest.raises(SourceError, match=words):
        probe_source(hls.write(text(hls)))


@pytest.mark.parametrize("name", NAMED_BY_THE_ISSUE)
def test_refused_export_leaves_nothing_behind(name: str, hls: HlsFolder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with pytest.raises(UnsafePlaylistError):
        export(hls.write(OUTSIDERS[name](hls)), tmp_path / "out" / "out.mp4")

    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_fetched(hls: HlsFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        with pytest.raises(UnsafePlaylistError, match="http://127"):
            probe_source(hls.write(of_segment(f"http://127.0.0.1:{port}/segment000.m4s")))
        with pytest.raises(BlockingIOError):  # nobody called
            server.accept()
