"""What `capbench doctor` finds, and which command it offers for what is missing."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from capbench.doctor.findings import (
    AdapterFinding,
    CacheFinding,
    EncoderFinding,
    MachineFindings,
    MemoryFinding,
    PathFinding,
    ProgramFinding,
)
from capbench.doctor.probe_machine import examine_cache, try_encoder
from capbench.doctor.remedies import Platform, find_problems
from capbench.doctor.trial_decodes import try_decoders
from capbench.pipeline.decode.decoder_device import offered_devices
from capbench.results.path_names import HARDWARE_DECODERS

_GPU = AdapterFinding(
    name="RTX", backend="Vulkan", adapter_type="DiscreteGPU", driver="1", is_software=False, is_chosen=True
)
WELL = MachineFindings(
    can_export_by_gpu=True,
    adapters=(_GPU,),
    adapter_error=None,
    encoders=(EncoderFinding(name="libx264", works=True), EncoderFinding(name="h264_nvenc", works=False, reason="no")),
    paths=(PathFinding(name="gpu", works=True), PathFinding(name="videotoolbox", works=False, reason="no Mac")),
    memory=MemoryFinding(
        channels=(),
        total_bytes=8 * 10**9,
        available_bytes=4 * 10**9,
        cgroup_limit_bytes=None,
        cgroup_free_bytes=None,
        channel_frames=16,
        gif_channel_frames=16,
    ),
    cache=CacheFinding(folder="/cache", size_bytes=0, free_bytes=10**10, is_writable=True),
    ffmpeg=ProgramFinding(name="ffmpeg", path="/usr/bin/ffmpeg", version="5"),
    versions={},
)
_DEBIAN = Platform("linux", has_apt=True, is_root=False)
_NO_ADAPTER = {"adapters": (), "adapter_error": "no GPU adapter"}
_SOFTWARE_ONLY = {"adapters": (_GPU.model_copy(update={"is_software": True}),)}
_NO_X264 = {"encoders": (EncoderFinding(name="libx264", works=False, reason="gone"),)}
_BROKEN_PATH = {"paths": (PathFinding(name="gpu", works=False, reason="the device was lost"),)}
_SMALL = {"memory": WELL.memory.model_copy(update={"available_bytes": 400 * 10**6})}
_READ_ONLY = {"cache": WELL.cache.model_copy(update={"is_writable": False})}
_FULL = {"cache": WELL.cache.model_copy(update={"free_bytes": 10**6})}
_NO_FFMPEG = {"ffmpeg": ProgramFinding(name="ffmpeg", path=None, version=None)}


def test_a_machine_without_problems_has_none() -> None:
    assert find_problems(WELL, _DEBIAN) == ()


@pytest.mark.parametrize(
    ("change", "platform", "what", "remedy", "blocks"),
    [
        (_NO_ADAPTER, _DEBIAN, "no GPU adapter", "sudo apt-get install -y --no-install-recommends mesa-vulkan", True),
        (_NO_ADAPTER, Platform("linux", has_apt=True, is_root=True), "no GPU adapter", "&& apt-get install -y", True),
        (_NO_ADAPTER, Platform("linux"), "no GPU adapter", "install the Vulkan loader", True),
        (_NO_ADAPTER, Platform("windows"), "no GPU adapter", "update the graphics driver", True),
        (_SOFTWARE_ONLY, _DEBIAN, "only a software adapter", "install the driver", False),
        (_NO_X264, _DEBIAN, "libx264, the default encoder, does not work: gone", "pip install", True),
        (_BROKEN_PATH, _DEBIAN, "path gpu does not work: the device was lost", "update the graphics driver", True),
        (_BROKEN_PATH | _NO_ADAPTER, _DEBIAN, "no GPU adapter", "mesa-vulkan-drivers", True),
        (_SMALL, _DEBIAN, "400 MB of memory", "close other programs", False),
        (_READ_ONLY, _DEBIAN, "cannot write to the cache, /cache", "CAPBENCH_CACHE", False),
        (_FULL, _DEBIAN, "1.00 MB free on the disk", "CAPBENCH_CACHE", False),
        ({"vmaf_error": "old"}, _DEBIAN, "VMAF is not measured", "imageio-ffmpeg", False),
        (_NO_FFMPEG, Platform("macos"), "no ffmpeg program", "brew install ffmpeg", False),
    ],
)
def test_a_problem_comes_with_its_remedy(
    change: dict[str, object], platform: Platform, what: str, remedy: str, blocks: bool
) -> None:
    (problem,) = find_problems(WELL.model_copy(update=change), platform)

    assert (what in problem.what, remedy in problem.remedy, problem.blocks_export) == (True, True, blocks), problem


def test_what_blocks_an_export_comes_first() -> None:
    problems = find_problems(WELL.model_copy(update={**_NO_FFMPEG, **_SMALL, **_NO_X264}), _DEBIAN)

    assert [problem.blocks_export for problem in problems] == [True, False, False]


def test_an_encoder_is_tried_and_not_only_listed(capfd: pytest.CaptureFixture[str]) -> None:
    """x265 writes to stderr by itself unless told not to."""
    tried = [try_encoder(name) for name in ("libx264", "libx265", "h264_no_such")]

    assert [(finding.works, finding.reason) for finding in tried] == [
        (True, None),
        (True, None),
        (False, "not part of this build of FFmpeg"),
    ]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("gpu")
def test_doctor_prints_json_alone_and_says_which_adapter_is_used() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "capbench", "doctor", "--json", "-"], capture_output=True, timeout=60, check=False
    )
    found = json.loads(ended.stdout)
    paths = {path["name"]: path["works"] for path in found["paths"]}

    assert ended.returncode == 0
    assert (paths["cpu"], paths["gpu"], paths["passthrough"]) == (True, True, True)
    assert (paths["videotoolbox"] or sys.platform == "darwin") is (sys.platform == "darwin")
    assert found["can_export_by_gpu"] is True
    assert [(plan["width"], plan["owned_bytes"] > 0) for plan in found["memory"]["channels"]] == [
        (1920, True),
        (3840, True),
    ]
    assert [adapter["is_chosen"] for adapter in found["adapters"]].count(True) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only the Vulkan loader lets its drivers be hidden")
def test_doctor_exits_4_without_an_adapter_and_names_the_command() -> None:
    hidden = {"VK_ICD_FILENAMES": os.devnull, "VK_DRIVER_FILES": os.devnull}  # the name before and since loader 1.3.207
    ended = subprocess.run(
        [sys.executable, "-m", "capbench", "doctor"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | hidden,
    )

    assert ended.returncode == 4, ended.stderr
    assert "missing: no GPU adapter" in ended.stdout
    assert "cannot export by path gpu" in ended.stdout


def test_every_kind_of_device_is_tried_on_both_codecs() -> None:
    found = try_decoders()

    names = dict.fromkeys((*HARDWARE_DECODERS, *offered_devices()))
    assert [(trial.name, trial.codec) for trial in found] == [
        (name, codec) for codec in ("H.264", "HEVC") for name in names
    ]
    # Each that does not work says why, in one line.
    assert all((trial.reason is None) is trial.works for trial in found)
    assert not any("\n" in (trial.reason or "") for trial in found)
    absent = [trial for trial in found if trial.name not in offered_devices()]
    assert {trial.reason for trial in absent} <= {"not part of this build of FFmpeg"}


@pytest.mark.parametrize("look", [1, 2])
def test_a_cache_that_another_process_writes_to_is_measured(
    look: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording gets its name after its folder was listed: what was listed is gone at the first look, or the next."""
    (tmp_path / "whole.mp4").write_bytes(bytes(1000))
    partial = tmp_path / ".new.01234567.partial.mp4"
    partial.write_bytes(b"x")
    original, looks = Path.stat, itertools.count(1)

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == partial and next(looks) == look:
            path.unlink()
        return original(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)

    assert examine_cache(tmp_path).size_bytes in (1000, 1001)
