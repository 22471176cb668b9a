"""Clips, exported by every way that needs no GPU, and validated; playlists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from capbench.recordings import RecordingSpec
from capbench.recordings.write import write_recording
from tests.fuzz.seeds.clips import CLIPS
from tests.fuzz.seeds.seed_input import EXPORTED, FAST_EXPORT, SeedInput

__all__ = ["export_seeds", "playlist_seeds", "validation_seeds"]

_PASSED_THROUGH: Final = ("--path", "passthrough", *FAST_EXPORT)


def export_seeds(clips: Mapping[str, bytes]) -> Iterator[SeedInput]:
    """Every clip, passed through where it can be; the others by the floor, which decodes and encodes anything."""
    for spec in (spec for spec in CLIPS if spec.name in clips):
        name = spec.name
        yield SeedInput(
            name=f"export-{name}" if spec.passes_through else f"floor-{name}",
            kind="media",
            files={name: clips[name]},
            mutable=(name,),
            arguments=("export", name, "out.mp4", *_PASSED_THROUGH)
            if spec.passes_through
            else ("-floor", name, "out.mp4", "report.json"),
            may_leave=EXPORTED,
            export_of=name,
        )
    name = "h264.mp4"
    for salvaged in ("h264.mp4", "h264.ts"):
        yield SeedInput(
            name=f"salvage-{salvaged}",
            kind="media",
            files={salvaged: clips[salvaged]},
            mutable=(salvaged,),
            arguments=("export", salvaged, "out.mp4", "--salvage", *_PASSED_THROUGH),
            may_leave=EXPORTED,
            export_of=salvaged,
        )
    yield SeedInput(
        name="gif-h264.mp4",
        kind="media",
        files={name: clips[name]},
        mutable=(name,),
        arguments=("export", name, "out.gif", "--path", "passthrough", "--json", "report.json"),
        may_leave=("out.gif", "report.json"),
    )
    # At a constant rate, what the times of a file decide costs a frame for each tick of it.
    yield SeedInput(
        name="fps-h264.ts",
        kind="media",
        files={"h264.ts": clips["h264.ts"]},
        mutable=("h264.ts",),
        arguments=("export", "h264.ts", "out.mp4", "--fps", "30", *_PASSED_THROUGH),
        may_leave=EXPORTED,
    )
    yield SeedInput(
        name="discard-h264.mkv",
        kind="media",
        files={"h264.mkv": clips["h264.mkv"]},
        mutable=("h264.mkv",),
        arguments=("export", "h264.mkv", "--encoder", "none", "--path", "passthrough", "--json", "report.json"),
        may_leave=("report.json",),
    )


def validation_seeds(clips: Mapping[str, bytes]) -> Iterator[SeedInput]:
    """Every clip compared with itself; as the output, and one as the reference."""
    options = ("--no-vmaf", "--json", "report.json")
    for name, data in clips.items():
        yield SeedInput(
            name=f"validate-{name}",
            kind="validation",
            files={f"reference-{name}": data, name: data},
            mutable=(name,),
            arguments=("validate", f"reference-{name}", name, *options),
            ends=(0, 1),
            may_leave=("report.json",),
        )
    name = "h264.mp4"
    yield SeedInput(
        name="validate-reference",
        kind="validation",
        files={"reference.mp4": clips[name], name: clips[name]},
        mutable=("reference.mp4",),
        arguments=("validate", "reference.mp4", name, *options, "--csv", "frames.csv"),
        ends=(0, 1),
        may_leave=("report.json", "frames.csv"),
    )


def playlist_seeds(folder: Path) -> Iterator[SeedInput]:
    """A playlist, one that names it, and their segments."""
    made = folder / "hls"
    made.mkdir()
    write_recording(RecordingSpec("hls", 160, 90, 30, 1, "hls"), made / "playlist.m3u8")
    files = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
    variant = b'#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.42c00b"\nplaylist.m3u8\n'
    master = b"#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n" + variant
    for name, mutable, more in (
        ("playlist.m3u8", ("playlist.m3u8",), {}),
        ("master.m3u8", ("master.m3u8", "playlist.m3u8"), {"master.m3u8": master}),
        ("playlist.m3u8", tuple(each for each in files if each != "playlist.m3u8"), {}),
    ):
        yield SeedInput(
            name=f"export-{name}-{mutable[0]}",
            kind="playlist",
            files={**files, **more},
            mutable=mutable,
            arguments=("export", name, "out.mp4", *_PASSED_THROUGH),
            may_leave=EXPORTED,
            export_of=name,
        )
