"""VMAF: which FFmpeg measures it, what it is told, what its log says, and that pairs stay pairs on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capbench.errors import UnavailableError
from capbench.quality.metrics.background_meters import BackgroundMeters, Measured
from capbench.quality.metrics.ffmpeg_metrics import FfmpegMeter
from capbench.quality.metrics.vmaf import GraphRun, VmafMeter, open_vmaf, program_command
from capbench.quality.metrics.vmaf_tool import VmafTool, choose_tool, find_tool, model_for, read_log
from capbench.quality.reading.planes import Planes, as_frame

WIDTH, HEIGHT = 98, 64
"""Not a multiple of FFmpeg's row alignment: rows of its frames are longer than the picture."""

LISTED = """Filters:
  T.. = Timeline support
 .S. colorspace        V->V       Convert between colorspaces.
 ... libvmaf           VV->V      Calculate the VMAF between two video streams.
"""
NOT_LISTED = """Filters:
 ... vmafmotion        V->V       Calculate the VMAF Motion score, see libvmaf .
"""


def _refuses(_: str) -> str:
    raise subprocess.TimeoutExpired("ffmpeg", 20)


@pytest.mark.parametrize(
    ("inside", "program", "list_filters", "expected"),
    [
        ({"psnr", "libvmaf"}, None, _refuses, VmafTool(None)),
        ({"libvmaf"}, "/usr/bin/ffmpeg", lambda _: LISTED, VmafTool(None)),
        ({"psnr"}, "/usr/bin/ffmpeg", lambda _: LISTED, VmafTool("/usr/bin/ffmpeg")),
        ({"psnr"}, "/usr/bin/ffmpeg", lambda _: NOT_LISTED, "and so was /usr/bin/ffmpeg"),
        ({"psnr"}, None, lambda _: LISTED, "no ffmpeg program is on PATH"),
        ({"psnr"}, "/usr/bin/ffmpeg", _refuses, "/usr/bin/ffmpeg does not list its filters: .*timed out"),
    ],
    ids=["inside", "inside first", "program", "neither", "no program", "broken program"],
)
def test_pyavs_ffmpeg_comes_before_the_program(
    inside: set[str], program: str | None, list_filters: Callable[[str], str], expected: VmafTool | str
) -> None:
    if isinstance(expected, VmafTool):
        assert choose_tool(inside, program, list_filters) == expected
    else:
        with pytest.raises(UnavailableError, match=expected):
            choose_tool(inside, program, list_filters)


@pytest.mark.parametrize(("height", "model"), [(360, "vmaf_v0.6.1"), (1440, "vmaf_v0.6.1"), (2160, "vmaf_4k_v0.6.1")])
def test_the_model_is_the_one_for_the_screen(height: int, model: str) -> None:
    assert model_for(height) == model


def test_the_program_reads_both_pictures_from_one_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    command = program_command("ffmpeg", 640, 360)

    assert command[command.index("-i") - 6 : command.index("-i") + 2] == [
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "640x720"),
        *("-i", "pipe:0"),
    ]
    assert command[command.index("-lavfi") + 1] == (
        "[0:v]split[above][below];[above]crop=640:360:0:0[got];[below]crop=640:360:0:360[want];"
        "[got][want]libvmaf=model=version=vmaf_v0.6.1:n_threads=2:log_fmt=json:log_path=vmaf.json"
    )


def _log(numbers: list[int], scores: list[float]) -> dict[str, Any]:
    """As libvmaf 2 and 3 write it."""
    return {
        "version": "3.0.0",
        "fps": 41.5,
        "frames": [
            {"frameNum": number, "metrics": {"integer_motion2": 1.5, "integer_vif_scale0": 0.5, "vmaf": score}}
            for number, score in zip(numbers, scores, strict=True)
        ],
        "pooled_metrics": {"vmaf": {"min": min(scores), "max": max(scores), "mean": 1.0, "harmonic_mean": 1.0}},
        "aggregate_metrics": {},
    }


def test_a_log_gives_version_and_scores() -> None:
    log = read_log(json.dumps(_log([0, 1, 2], [97.25, 0.0, 100.0])), pairs=3)

    assert (log.version, log.scores) == ("3.0.0", (97.25, 0.0, 100.0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ('{"version": "3.0.0", "frames": [', "cannot be read"),
        ('{"version": "3.0.0"}', "KeyError 'frames'"),
        ("[]", "TypeError"),
        (json.dumps(_log([0, 1], [90, 91])), "has 2 frames instead of 3"),
        (json.dumps(_log([0, 2, 1], [90, 91, 92])), "3 in order"),
        (json.dumps(_log([0, 1, 2], [90, float("nan"), 92])), "not numbers"),
    ],
)
def test_a_log_that_does_not_fit_is_no_measurement(text: str, reason: str) -> None:
    with pytest.raises(UnavailableError, match=reason):
        read_log(text, pairs=3)


def _pairs(count: int) -> Iterator[tuple[av.VideoFrame, av.VideoFrame]]:
    """Output noise of a mean of 10 * n above a reference of 5 * n, chroma noise."""
    noise = np.random.default_rng(7)
    for number in range(count):
        frames = []
        for level in (10 * number, 5 * number):
            planes = [
                (noise.integers(-1, 2, shape) + base).clip(0, 255).astype(np.uint8)
                for shape, base in (
                    ((HEIGHT, WIDTH), level),
                    ((HEIGHT // 2, WIDTH // 2), 90 + number),
                    ((HEIGHT // 2, WIDTH // 2), 160 - number),
                )
            ]
            frames.append(as_frame(Planes(*planes)))
        yield frames[0], frames[1]


_READER = f"""#!{sys.executable}
import json, sys
size = {WIDTH} * {HEIGHT}
frames = []
while picture := sys.stdin.buffer.read(size * 3):
    above, below = picture[:size], picture[size:2 * size]
    score = round(sum(above) / size) + round(sum(below) / size) / 1000
    frames.append({{"frameNum": len(frames), "metrics": {{"vmaf": score}}}})
open("vmaf.json", "w").write(json.dumps({{"version": "stand-in", "frames": frames}}))
"""
"""Takes the place of ffmpeg: scores a pair by the mean luma above, and by the one below as thousandths."""


def _program(folder: Path, text: str) -> VmafTool:
    path = folder / "ffmpeg"
    path.write_text(text)
    path.chmod(0o755)
    return VmafTool(str(path))


def _measure(tool: VmafTool, count: int) -> Measured:
    with closing(BackgroundMeters([VmafMeter(tool, WIDTH, HEIGHT)])) as meters:
        for got, want in _pairs(count):
            meters.push(got, want)
        return meters.finish()


needs_shebang = pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for the program")


@needs_shebang
def test_every_pair_reaches_the_program_whole_and_in_order(tmp_path: Path) -> None:
    tool = _program(tmp_path, _READER)

    found = _measure(tool, 12)

    assert found.series["vmaf"] == pytest.approx([10 * n + 5 * n / 1000 for n in range(12)], abs=1e-9)
    assert found.how == {"vmaf": f"model vmaf_v0.6.1, by {tool}, libvmaf stand-in"}
    assert found.unmeasured == {}


@needs_shebang
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Option model not found' >&2\nexit 8", "status 8: Option model not found"),
        ("cat >/dev/null\nexit 3", "status 3: "),
        ("kill -SEGV $$", "status -11"),
        ("cat >/dev/null", "No such file"),
        ("cat >/dev/null\necho '{' >vmaf.json", "log cannot be read"),
    ],
    ids=["old ffmpeg", "fails at the end", "crashes", "no log", "broken log"],
)
def test_a_program_that_fails_is_a_reason_and_no_failure(tmp_path: Path, script: str, reason: str) -> None:
    found = _measure(_program(tmp_path, f"#!/bin/sh\n{script}\n"), 40)

    assert reason in found.unmeasured["vmaf"]
    assert found.series == {}


@needs_shebang
def test_a_run_that_is_given_up_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    tool = _program(tmp_path, "#!/bin/sh\ntouch here\ncat >/dev/null\nsleep 60\n")
    meter = VmafMeter(tool, WIDTH, HEIGHT)
    folder = Path(meter._folder.name)
    meter.push(*next(_pairs(1)))
    assert folder.is_dir()

    meter.close()

    assert not folder.exists()
    assert not isinstance(meter._run, GraphRun)
    assert meter._run._process.returncode is not None


@pytest.mark.parametrize(
    ("tool", "size", "reason"),
    [
        (VmafTool("/nowhere/ffmpeg"), (64, 64), "/nowhere/ffmpeg does not start: No such file"),
        (VmafTool("ffmpeg"), (320, 16), "320x16 are too small"),
    ],
)
def test_what_cannot_be_started_is_a_reason(tool: VmafTool, size: tuple[int, int], reason: str) -> None:
    with closing(BackgroundMeters([open_vmaf(lambda: tool, *size)])) as meters:
        found = meters.finish()

    assert reason in found.unmeasured["vmaf"]


def test_nothing_pushed_is_nothing_measured() -> None:
    def none_here() -> VmafTool:
        raise UnavailableError("nobody has it")

    assert open_vmaf(none_here, 64, 64).finish().unmeasured == {"vmaf": "nobody has it"}


def test_a_graph_in_this_process_writes_its_whole_log(tmp_path: Path) -> None:
    """Shown with the filter psnr, which every FFmpeg has and which writes a log at the end as libvmaf does."""
    run = GraphRun("psnr", {"stats_file": str(tmp_path / "psnr.txt")}, WIDTH, HEIGHT)
    beside = FfmpegMeter(WIDTH, HEIGHT, rate=None)

    for got, want in _pairs(12):
        run.push(got, want)
        beside.push(got, want)
    run.finish()

    logged = [line.split("psnr_y:")[1].split()[0] for line in (tmp_path / "psnr.txt").read_text().splitlines()]
    assert [float(value) for value in logged] == pytest.approx(beside.finish().series["ffmpeg_psnr_y"], abs=0.006)


def test_vmaf_itself_where_an_ffmpeg_here_has_it() -> None:
    try:
        tool = find_tool()
    except UnavailableError as error:
        pytest.skip(str(error))
    picture = np.random.default_rng(3).integers(16, 236, (90, 160), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    flat = np.full((180, 320), 128, np.uint8)
    dim = (picture.astype(int) + np.random.default_rng(4).integers(-40, 41, picture.shape)).clip(0, 255)
    meter = VmafMeter(tool, 640, 360)
    with closing(BackgroundMeters([meter])) as meters:
        for shown in (picture, dim.astype(np.uint8), picture):
            meters.push(as_frame(Planes(shown, flat, flat)), as_frame(Planes(picture, flat, flat)))
        found = meters.finish()

    first, noisy, last = found.series["vmaf"]
    assert min(first, last) > 95
    assert noisy < 90
