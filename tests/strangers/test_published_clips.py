"""Clips that others published: found in their packages, cut to whole frames, and named where they cannot be had."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.strangers import published_clips as module
from tests.strangers.published_clips import (
    HELD_BACK_PUBLISHED,
    PUBLISHED_2262,
    PUBLISHED_6396,
    PUBLISHED_9555,
    PublishedClip,
    published_clips,
    read_member,
)
from tests.strangers.stream_facts import probe
from tests.strangers.tool_programs import ToolError


def archives() -> list[bytes]:
    wheel, source = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as written:
        written.writestr("package/data/clip.mp4", b"video")
    with tarfile.open(fileobj=source, mode="w:gz") as tar:
        member = tarfile.TarInfo("package-1.0/data/clip.mp4")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"video"))
    return [wheel.getvalue(), source.getvalue()]


@pytest.mark.parametrize("archive", archives(), ids=["wheel", "source"])
def test_a_video_is_found_by_the_end_of_its_path(archive: bytes) -> None:
    assert read_member(archive, "data/clip.mp4") == b"video"
    with pytest.raises(ToolError, match="other"):
        read_member(archive, "data/other.mp4")


@pytest.mark.parametrize(
    "published",
    [PUBLISHED_9555, PUBLISHED_6396, PUBLISHED_2262, HELD_BACK_PUBLISHED],
    ids=["9555", "6396", "2262", "held back"],
)
def test_without_a_network_each_package_is_named_once(
    published: tuple[PublishedClip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refused(package: module._Package) -> bytes:
        asked.append(package.requirement)
        message = "no network"
        raise ToolError(message)

    monkeypatch.setattr(module, "_fetch", refused)

    clips, missing = published_clips(tmp_path, published)

    packages = {each.package.requirement for each in published}
    assert not clips
    assert sorted(asked) == sorted(packages)
    assert {line.split()[3].rstrip(":") for line in missing} == packages
    assert len(missing) == len(packages)


def test_no_package_that_is_seen_has_a_clip_that_is_held_back() -> None:
    parts = (PUBLISHED_9555, PUBLISHED_6396, PUBLISHED_2262, HELD_BACK_PUBLISHED)
    # By name alone: another version of a package has the same clips.
    packages = [{re.split("==|(?<!^)@", each.package.requirement)[0] for each in part} for part in parts]
    names = [each.name for part in parts for each in part]

    assert not any(one & other for one, other in itertools.combinations(packages, 2))
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[0-9a-f]{64}", each.package.sha256) for part in parts for each in part)


def fake_npm(words: Sequence[str | Path], **_: float) -> bytes:
    """Writes an archive as `npm pack` does."""
    folder = Path(words[words.index("--pack-destination") + 1])
    (folder / "package-1.0.tgz").write_bytes(b"archive")
    return b""


def test_an_archive_of_npm_is_taken_by_its_hash_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "npm")
    monkeypatch.setattr(module, "run_tool", fake_npm)

    right = module._NpmPackage("package@1.0", hashlib.sha256(b"archive").hexdigest())
    assert module._fetch(right) == b"archive"
    with pytest.raises(ToolError, match="has the hash"):
        module._fetch(module._NpmPackage("package@1.0", 64 * "0"))


def test_without_npm_its_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(ToolError, match="npm is not installed"):
        module._fetch(module._NpmPackage("package@1.0", 64 * "0"))


def test_a_cut_leaves_out_no_frame_that_is_shown_before_its_end(tmp_path: Path) -> None:
    """By time alone ffmpeg copies a P-frame and leaves out the B-frames that are shown before it."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"bf": "3", "b_strategy": "0", "g": "25"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(60):
            picture = np.full((64, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))

    for seconds in (0.36, 0.4, 0.44, 0.48):
        cut = tmp_path / f"cut-{seconds}.mkv"
        clip = PublishedClip("made", PUBLISHED_9555[0].package, "whole.mp4", seconds)
        clip.cut(whole.read_bytes(), cut)

        found = probe(cut)
        assert found.is_constant
        assert found.rate == 25
        assert seconds * 25 <= found.frame_count <= seconds * 25 + 3
