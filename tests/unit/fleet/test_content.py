"""What is sent to machines: bundles of files by digest, pieces, and names that stay where they belong."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from capbench.errors import InputError, MatrixError, OutputError
from capbench.fleet.block_job import (
    LONGEST_MESSAGE_BYTES,
    Activity,
    BlockAnswer,
    BlockFile,
    BlockJob,
    Bundle,
    BundleFile,
    from_message,
    to_message,
)
from capbench.fleet.dispatch import bundles
from capbench.fleet.dispatch.bundles import CaseFiles
from capbench.fleet.dispatch.fleet_folder import unpack
from capbench.fleet.workers.content_store import ContentStore
from capbench.harness.matrix.model import Case, Download


def _file(content: bytes, name: str = "clip.mp4") -> BundleFile:
    return BundleFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def _case(**settings: object) -> Case:
    return Case.model_validate(
        {"name": "one", "subjects": ["a"], "blocks": 1, "timeout_s": 1, "settle_s": 0, "warmup": False}
        | {"drift_control": False}
        | settings
    )


def test_a_file_comes_in_pieces_and_is_sent_once(tmp_path: Path) -> None:
    store, content = ContentStore(tmp_path), bytes(range(100))
    file = _file(content)

    assert store.stored_bytes(file) == 0
    assert store.store(file, 0, content[:40]) == 40
    assert store.store(file, 10, content[10:50]) == 40, "a piece that does not follow changes nothing"
    assert ContentStore(tmp_path).stored_bytes(file) == 40, "what was sent before a break is not sent again"
    assert store.store(file, 40, content[40:]) == 100

    assert store.stored_bytes(file) == 100
    assert store.place(Bundle(entry="clip.mp4", files=(file,))).read_bytes() == content


def test_content_that_is_not_of_its_digest_is_refused_and_forgotten(tmp_path: Path) -> None:
    store = ContentStore(tmp_path)
    file = _file(b"right")

    with pytest.raises(InputError, match="damaged"):
        store.store(file, 0, b"wrong")

    assert store.stored_bytes(file) == 0
    with pytest.raises(InputError, match="not sent"):
        store.place(Bundle(entry="clip.mp4", files=(file,)))


def test_more_than_was_announced_is_not_stored(tmp_path: Path) -> None:
    store, file = ContentStore(tmp_path), _file(b"four")

    assert store.store(file, 0, b"four and more") == 0


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    store = ContentStore(tmp_path, most_bytes=100)
    files = [_file(bytes([number]) * 40) for number in range(3)]
    for number, file in enumerate(files):
        store.store(file, 0, bytes([number]) * 40)

    assert [store.stored_bytes(file) for file in files] == [0, 40, 40]
    with pytest.raises(OutputError, match="no room"):
        store.store(_file(b"x" * 101), 0, b"x")


@pytest.mark.parametrize(
    ("total_bytes", "free_bytes", "fits"),
    [(250e9, 20e9, True), (4e12, 20e9, True), (4e12, 9e9, False), (20e9, 2.1e9, True), (20e9, 1.9e9, False)],
)
def test_a_large_disk_need_not_be_a_tenth_empty(
    total_bytes: float, free_bytes: float, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with 20 GB left took no clip of three kilobytes, because its disk holds 250."""
    usage = SimpleNamespace(total=total_bytes, free=free_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    store, file = ContentStore(tmp_path), _file(bytes(100))

    if fits:
        assert store.store(file, 0, bytes(100)) == 100
    else:
        with pytest.raises(OutputError, match="no room for 100 B"):
            store.store(file, 0, bytes(100))


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../b", "a//b", "", ".", "C:\\a", "a\\b", "a\0", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        BundleFile(name=name, sha256="0" * 64, size_bytes=1)


def test_messages_are_bounded_and_checked() -> None:
    with pytest.raises(InputError, match="too long"):
        from_message("x" * (LONGEST_MESSAGE_BYTES + 1), BlockAnswer)
    with pytest.raises(InputError, match="not a message"):
        from_message('{"files": 1}', BlockAnswer)
    with pytest.raises(InputError, match="too long"):
        to_message(Activity(what="x" * (LONGEST_MESSAGE_BYTES + 1)))


def test_a_clip_goes_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    clip = tmp_path / "secret place" / "my clip.mov"
    clip.parent.mkdir()
    clip.write_bytes(b"video")
    files = CaseFiles()

    bundle = files.clip(_case(source=clip))

    assert bundle is not None
    assert bundle.entry == "clip.mov"
    assert "secret" not in to_message(bundle)
    assert files.path_of(bundle.files[0]) == clip
    assert files.clip(_case(name="two", recording="1080p-1min")) is None


def test_a_downloaded_clip_is_looked_for_once_and_not_for_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for it computes its SHA-256 anew: gigabytes, while nobody looks after the machines."""
    (tmp_path / "clip.mp4").write_bytes(b"video")
    looked: list[str] = []

    def fetch(where: str, _download: Download) -> Path:
        looked.append(where)
        return tmp_path / "clip.mp4"

    monkeypatch.setattr(bundles, "fetch_clip", fetch)
    files = CaseFiles()
    case = _case(download={"url": "https://example.org/clip.mp4", "sha256": "0" * 64})

    assert files.clip(case) == files.clip(case)
    assert len(looked) == 1


def test_a_playlist_takes_its_segments_along(tmp_path: Path) -> None:
    (tmp_path / "main.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhd/media.m3u8\n")
    (tmp_path / "hd").mkdir()
    (tmp_path / "hd" / "media.m3u8").write_text('#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4,\nseg 1.m4s\n')
    (tmp_path / "hd" / "init.mp4").write_bytes(b"i")
    (tmp_path / "hd" / "seg 1.m4s").write_bytes(b"s")

    bundle = CaseFiles().clip(_case(source=tmp_path / "main.m3u8"))

    assert bundle is not None
    assert {file.name for file in bundle.files} == {"main.m3u8", "hd/media.m3u8", "hd/init.mp4", "hd/seg 1.m4s"}


def test_a_scene_takes_its_pictures_along_but_none_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "wall.png").write_bytes(b"p")
    (tmp_path / "logo.png").write_bytes(b"p")
    scene = tmp_path / "in" / "scene.toml"
    scene.write_text('[background]\nfile = "wall.png"\n[[caption]]\ntext = "hello"\n')

    bundle = CaseFiles().scene(_case(recording="1080p-1min", scene=str(scene)))

    assert bundle is not None
    assert {file.name for file in bundle.files} == {"scene.toml", "wall.png"}
    scene.write_text('[background]\nfile = "../logo.png"\n')
    with pytest.raises(MatrixError, match="move it"):
        CaseFiles().scene(_case(recording="1080p-1min", scene=str(scene)))


@pytest.mark.parametrize(
    "files",
    [
        [BlockFile(name="runs/a.json", size_bytes=5, base64="AAAA")],
        [BlockFile(name="runs/a.json", size_bytes=3, base64="!!!!")],
        [BlockFile(name="runs/a.json", size_bytes=3, base64="AAAA")] * 2,
    ],
)
def test_an_answer_that_is_damaged_is_refused(tmp_path: Path, files: list[BlockFile]) -> None:
    with pytest.raises(InputError, match="sent"):
        unpack(files, tmp_path)


def test_a_job_holds_no_path_of_the_runner(tmp_path: Path) -> None:
    """The type itself refuses none, so what is sent is looked at."""
    from tests.unit.fleet.fake_fleet import FakeFleet, dispatch, plan_of

    jobs: list[BlockJob] = []
    fleet = FakeFleet.of(one=["makes"])
    made = fleet.run_block

    async def run_block(address: str, job: BlockJob) -> BlockAnswer:
        jobs.append(job)
        return await made(address, job)

    fleet.run_block = run_block  # type: ignore[method-assign]
    dispatch(plan_of(cases=1, blocks=1), fleet, tmp_path / "out")

    assert str(tmp_path) not in to_message(jobs[0])
    assert jobs[0].case.source is None
