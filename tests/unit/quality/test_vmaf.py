"""VMAF: which FFmpeg measures it, what it is told, what its log says, and that pairs stay pairs on the way."""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.filter import filters_available
from numpy.typing import NDArray

from capbench.errors import UnavailableError
from capbench.quality.metrics.background_meters import BackgroundMeters, Measured
from capbench.quality.metrics.ffmpeg_metrics import FfmpegMeter
from capbench.quality.metrics.libvmaf import libvmaf_options
from capbench.quality.metrics.libvmaf.find_vmaf import choose_tool, find_tool, try_out
from capbench.quality.metrics.libvmaf.libvmaf_log import read_log
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS, filter_options, model_of, too_small
from capbench.quality.metrics.libvmaf.vmaf_meter import VmafMeter, open_vmaf
from capbench.quality.metrics.libvmaf.vmaf_runs import GraphRun, VmafTool, program_command
from capbench.quality.reading.planes import Planes, as_frame

WIDTH, HEIGHT = 98, 64
"""Not a multiple of FFmpeg's row alignment: rows of its frames are longer than the picture."""

INSIDE, PACKAGED, ON_PATH = VmafTool("inside"), VmafTool("packaged", "/a/ffmpeg"), VmafTool("/b/ffmpeg", "/b/ffmpeg")


@pytest.mark.parametrize(
    ("able", "chosen"),
    [({INSIDE, PACKAGED, ON_PATH}, INSIDE), ({PACKAGED, ON_PATH}, PACKAGED), ({ON_PATH}, ON_PATH)],
)
def test_the_first_tool_that_really_measures_is_taken(able: set[VmafTool], chosen: VmafTool) -> None:
    def measured_by(tool: VmafTool) -> list[str]:
        if tool not in able:
            raise UnavailableError(f"{tool}: cannot")
        return ["vmaf"]

    assert choose_tool(iter((INSIDE, PACKAGED, ON_PATH)), measured_by) == (chosen, frozenset({"vmaf"}))


@pytest.mark.parametrize(
    ("tools", "reason"),
    [((), r"no FFmpeg here measures it; .*imageio-ffmpeg"), ((INSIDE, ON_PATH), "inside: old; /b/ffmpeg: old; this")],
)
def test_where_no_tool_measures_the_reason_names_each_and_the_remedy(tools: tuple[VmafTool, ...], reason: str) -> None:
    def measured_by(tool: VmafTool) -> list[str]:
        raise UnavailableError(f"{tool}: old")

    with pytest.raises(UnavailableError, match=reason):
        choose_tool(iter(tools), measured_by)


@pytest.mark.parametrize(
    ("name", "height", "model"),
    [
        ("vmaf", 360, "vmaf_v0.6.1"),
        ("vmaf", 1440, "vmaf_v0.6.1"),
        ("vmaf", 2160, "vmaf_4k_v0.6.1"),
        ("vmaf_neg", 1080, "vmaf_v0.6.1neg"),
        ("vmaf_neg", 2160, "vmaf_4k_v0.6.1neg"),
        ("cambi", 2160, None),
    ],
)
def test_the_model_is_the_one_for_the_screen(name: str, height: int, model: str | None) -> None:
    assert model_of(name, height) == model


@pytest.mark.parametrize(
    ("name", "size", "is_measured"),
    [
        ("vmaf", (320, 16), False),
        ("vmaf", (32, 32), True),
        ("cambi", (214, 214), False),
        ("cambi", (216, 120), True),
        ("cambi", (120, 216), True),
        ("psnr_hvs", (32, 32), True),
    ],
)
def test_pictures_that_libvmaf_refuses_are_not_given_to_it(name: str, size: tuple[int, int], is_measured: bool) -> None:
    assert (too_small(name, *size) is None) is is_measured


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["vmaf"], {"model": "version=vmaf_v0.6.1:name=vmaf"}),
        (
            ["psnr_hvs", "cambi", "vmaf_neg", "vmaf"],
            {
                "model": "version=vmaf_v0.6.1:name=vmaf|version=vmaf_v0.6.1neg:name=vmaf_neg",
                "feature": "name=cambi|name=psnr_hvs",
            },
        ),
        (["cambi"], {"model": "version=vmaf_v0.6.1:name=vmaf", "feature": "name=cambi"}),
    ],
)
def test_the_filter_is_told_models_and_features(names: list[str], options: dict[str, str]) -> None:
    told = filter_options(names, 640, 360, "log.json")

    assert {key: told.get(key) for key in ("model", "feature")} == {"feature": None} | options
    assert 1 <= int(told["n_threads"]) <= 16
    assert (told["log_fmt"], told["log_path"]) == ("json", "log.json")


@pytest.mark.parametrize(
    ("cores", "size", "threads"),
    [(2, (1920, 1080), 2), (64, (640, 360), 16), (64, (1920, 1080), 8), (64, (3840, 2160), 2), (64, (16384, 4096), 1)],
)
def test_threads_are_as_many_as_there_are_cores_and_memory_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, size: tuple[int, int], threads: int
) -> None:
    """Each holds 0.6 GB at 4K: one a core would take 10 GB of a machine with 16."""
    monkeypatch.setattr(libvmaf_options, "_usable_cores", lambda: cores)

    assert filter_options(["vmaf"], *size, "log.json")["n_threads"] == str(threads)


def test_the_program_reads_both_pictures_from_one_pipe() -> None:
    command = program_command("ffmpeg", {"model": "version=m:name=vmaf", "log_path": "vmaf.json"}, 640, 360)

    assert command[command.index("-i") - 6 : command.index("-i") + 2] == [
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "640x720"),
        *("-i", "pipe:0"),
    ]
    assert command[command.index("-lavfi") + 1] == (
        "[0:v]split[above][below];[above]crop=640:360:0:0[got];[below]crop=640:360:0:360[want];"
        r"[got][want]libvmaf=model=version=m\\:name=vmaf:log_path=vmaf.json"
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
    log = read_log(json.dumps(_log([0, 1, 2], [97.25, 0.0, 100.0])), ["vmaf"], pairs=3)

    assert (log.version, log.scores) == ("3.0.0", {"vmaf": [97.25, 0.0, 100.0]})


def test_null_is_infinite_where_identical_pictures_have_no_bound_and_no_number_elsewhere() -> None:
    text = json.dumps({"version": "3", "frames": [{"frameNum": 0, "metrics": {"vmaf": None, "psnr_hvs": None}}]})

    assert read_log(text, ["psnr_hvs"], pairs=1).scores == {"psnr_hvs": [math.inf]}
    with pytest.raises(UnavailableError, match="cannot be read"):
        read_log(text, ["vmaf"], pairs=1)


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
        read_log(text, ["vmaf"], pairs=3)


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
    return VmafTool(str(path), str(path))


def _measure(tool: VmafTool, count: int) -> Measured:
    with closing(BackgroundMeters([VmafMeter(tool, ["vmaf"], WIDTH, HEIGHT)])) as meters:
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
        ("echo '[graph @ 0x55d0] No such filter' >&2\necho 'Invalid' >&2\nexit 1", "status 1: No such filter"),
        ("cat >/dev/null\nexit 3", "status 3: "),
        ("kill -SEGV $$", "status -11"),
        ("cat >/dev/null", "No such file"),
        ("cat >/dev/null\necho '{' >vmaf.json", "log cannot be read"),
    ],
    ids=["old ffmpeg", "no libvmaf", "fails at the end", "crashes", "no log", "broken log"],
)
def test_a_program_that_fails_is_a_reason_and_no_failure(tmp_path: Path, script: str, reason: str) -> None:
    found = _measure(_program(tmp_path, f"#!/bin/sh\n{script}\n"), 40)

    assert reason in found.unmeasured["vmaf"]
    assert found.series == {}


@needs_shebang
def test_a_run_that_is_given_up_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    tool = _program(tmp_path, "#!/bin/sh\ntouch here\ncat >/dev/null\nsleep 60\n")
    meter = VmafMeter(tool, ["vmaf"], WIDTH, HEIGHT)
    folder = Path(meter._folder.name)
    meter.push(*next(_pairs(1)))
    # The shell's `touch` would outlive the shell, and write into a folder that is being removed.
    deadline_s = time.monotonic() + 30
    while not (folder / "here").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)

    meter.close()

    assert not folder.exists()
    assert not isinstance(meter._run, GraphRun)
    assert meter._run._process.returncode is not None


def _found(tool: VmafTool, *measures: str) -> Callable[[], tuple[VmafTool, tuple[str, ...]]]:
    return lambda: (tool, measures)


@pytest.mark.parametrize(
    ("tool", "size", "reason"),
    [
        (VmafTool("gone", "/nowhere/ffmpeg"), (64, 64), "/nowhere/ffmpeg does not start: No such file"),
        (VmafTool("ffmpeg"), (320, 16), "320x16 are too small"),
    ],
)
def test_what_cannot_be_started_is_a_reason(tool: VmafTool, size: tuple[int, int], reason: str) -> None:
    with closing(BackgroundMeters([open_vmaf(_found(tool, "vmaf"), ["vmaf"], *size)])) as meters:
        found = meters.finish()

    assert reason in found.unmeasured["vmaf"]


@needs_shebang
def test_what_a_tool_does_not_measure_is_named_beside_what_it_does(tmp_path: Path) -> None:
    tool = _program(tmp_path, _READER)
    meter = open_vmaf(_found(tool, "vmaf"), ["vmaf", "vmaf_neg", "cambi"], WIDTH, HEIGHT)
    with closing(BackgroundMeters([meter])) as meters:
        for got, want in _pairs(2):
            meters.push(got, want)
        found = meters.finish()

    assert list(found.series) == ["vmaf"]
    assert "does not measure it" in found.unmeasured["vmaf_neg"]
    assert "too small" in found.unmeasured["cambi"]


def test_nothing_pushed_is_nothing_measured() -> None:
    def none_here() -> tuple[VmafTool, tuple[str, ...]]:
        raise UnavailableError("nobody has it")

    assert open_vmaf(none_here, ["vmaf"], 64, 64).finish().unmeasured == {"vmaf": "nobody has it"}


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


def test_a_graph_is_freed_when_it_is_closed_and_not_some_time_later(tmp_path: Path) -> None:
    """Its log is written then: with graphs that refer to themselves (PyAV 19) there was none yet."""
    run = GraphRun("psnr", {"stats_file": str(tmp_path / "psnr.txt")}, WIDTH, HEIGHT)
    was_on = gc.isenabled()
    gc.disable()
    try:
        for got, want in _pairs(1):
            run.push(got, want)
        run.finish()
    finally:
        if was_on:
            gc.enable()

    assert (tmp_path / "psnr.txt").read_text().startswith("n:1 ")


@pytest.fixture(scope="module")
def tool() -> VmafTool:
    try:
        return find_tool()[0]
    except UnavailableError as error:
        if sys.platform == "linux" and importlib.util.find_spec("imageio_ffmpeg"):
            raise  # the extra promises one
        pytest.skip(str(error))


def _grey(luma: NDArray[np.uint8]) -> av.VideoFrame:
    flat = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    return as_frame(Planes(luma, flat, flat))


def _blocks(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(16, 236, (height // 4, width // 4), dtype=np.uint8)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def test_libvmaf_itself_where_an_ffmpeg_here_has_it(tool: VmafTool) -> None:
    picture = _blocks(360, 640)
    noise = np.random.default_rng(4).integers(-40, 41, picture.shape)
    noisy = (picture.astype(int) + noise).clip(0, 255).astype(np.uint8)
    with closing(BackgroundMeters([VmafMeter(tool, LIBVMAF_METRICS, 640, 360)])) as meters:
        for shown in (picture, noisy, picture):
            meters.push(_grey(shown), _grey(picture))
        found = meters.finish()

    for name in ("vmaf", "vmaf_neg"):
        first, middle, last = found.series[name]
        assert min(first or 0, last or 0) > 95
        assert (middle or 0) < 90
    assert found.series["psnr_hvs"][0] == found.series["psnr_hvs"][2] == math.inf
    assert 10 < (found.series["psnr_hvs"][1] or 0) < 40
    assert all((value or 0) >= 0 for value in found.series["cambi"])
    assert found.how["vmaf"].startswith("model vmaf_v0.6.1, by ")
    assert found.how["cambi"].startswith("by ")
    assert found.unmeasured == {}


def _board(shift: int) -> NDArray[np.uint8]:
    """Squares of 10 pixels, black first, in codes of limited range."""
    rows, columns = np.mgrid[0:1080, 0:1920]
    return np.where(((columns - shift) // 10 + rows // 10) % 2 == 0, 16, 235).astype(np.uint8)


@pytest.mark.parametrize(("shift", "score"), [(0, 99.14289994), (1, 35.06866714), (10, 7.98589874)])
def test_the_scores_are_those_that_netflix_publishes(tool: VmafTool, shift: int, score: float) -> None:
    """Checkerboards that move by a pixel a frame, the output shifted.

    Netflix/vmaf, python/test/quality_runner_test.py, test_run_vmaf_runner_checkerboard: equal to four places there.
    """
    with closing(BackgroundMeters([VmafMeter(tool, ["vmaf"], 1920, 1080)])) as meters:
        for frame in range(3):
            meters.push(_grey(_board(frame + shift)), _grey(_board(frame)))
        found = meters.finish()

    assert np.mean([value or 0 for value in found.series["vmaf"]]) == pytest.approx(score, abs=5e-5)


def test_the_model_for_4k_is_there_too(tool: VmafTool) -> None:
    picture = _blocks(2160, 256)
    with closing(BackgroundMeters([VmafMeter(tool, ["vmaf", "vmaf_neg"], 256, 2160)])) as meters:
        meters.push(_grey(picture), _grey(picture))
        found = meters.finish()

    assert "model vmaf_4k_v0.6.1," in found.how["vmaf"]
    assert "model vmaf_4k_v0.6.1neg," in found.how["vmaf_neg"]
    assert found.unmeasured == {}


def test_pyavs_own_libvmaf_gives_what_a_program_gives() -> None:
    """Where there are both: PyAV 19 has libvmaf, and the extra brings a program of another build."""
    if "libvmaf" not in filters_available:
        pytest.skip("PyAV's FFmpeg was built without libvmaf")
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    program = VmafTool("program", imageio_ffmpeg.get_ffmpeg_exe())
    series = []
    for tool in (VmafTool("inside"), program):
        with closing(BackgroundMeters([VmafMeter(tool, LIBVMAF_METRICS, 320, 240)])) as meters:
            for number in range(5):
                picture = _blocks(240, 320) // 2 + np.uint8(20 * number)
                meters.push(_grey(picture // 2 * 2), _grey(picture))
            series.append(meters.finish().series)

    for name in LIBVMAF_METRICS:
        assert series[0][name] == pytest.approx(series[1][name], abs=1e-4), name  # six decimals of two builds


@needs_shebang
def test_trying_out_finds_what_a_tool_measures(tmp_path: Path) -> None:
    """A stand-in that ends where it is asked for CAMBI, as an old libvmaf does."""
    script = f"""#!{sys.executable}
import json, sys
asked = [name for name in ("vmaf_neg", "cambi", "psnr_hvs", "vmaf") if f"name={{name}}" in " ".join(sys.argv)]
count = len(sys.stdin.buffer.read()) // (256 * 256 * 3)
if "cambi" in asked:
    sys.exit("no feature cambi")
frames = [{{"frameNum": n, "metrics": dict.fromkeys(asked, 1.0)}} for n in range(count)]
open("vmaf.json", "w").write(json.dumps({{"version": "1", "frames": frames}}))
"""

    assert try_out(_program(tmp_path, script)) == {"vmaf", "vmaf_neg", "psnr_hvs"}


@needs_shebang
def test_trying_out_a_tool_without_libvmaf_gives_its_reason(tmp_path: Path) -> None:
    tool = _program(tmp_path, "#!/bin/sh\ncat >/dev/null\necho 'No such filter: libvmaf' >&2\nexit 8\n")

    with pytest.raises(UnavailableError, match="status 8: No such filter: libvmaf"):
        try_out(tool)
