"""Probe the machine: adapters, encoders, memory, cache, programs, versions. Nothing is judged here."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import av
import av.logging
import psutil

from capbench import cgroup
from capbench.doctor.findings import (
    AdapterFinding,
    CacheFinding,
    ChannelFinding,
    EncoderFinding,
    MachineFindings,
    MemoryFinding,
    ProgramFinding,
)
from capbench.doctor.remedies import Platform, find_problems
from capbench.doctor.trial_decodes import try_decoders
from capbench.doctor.trial_exports import try_exports
from capbench.errors import AdapterError, EncoderError, UnavailableError
from capbench.installation import version_of
from capbench.pipeline.encode.encoders import probe_encoder
from capbench.pipeline.gpu.device import adapter_name, is_software, list_adapters, open_device
from capbench.pipeline.threads.memory_budget import (
    available_memory_bytes,
    channel_frames,
)
from capbench.quality.metrics.libvmaf.find_vmaf import find_tool
from capbench.recordings.cache import cache_folder

__all__ = ["KNOWN_ENCODERS", "examine_cache", "examine_machine", "try_encoder"]

_LIBRARIES = ("capbench", "av", "wgpu", "numpy", "scipy", "scikit-image", "pandas", "matplotlib", "pydantic")


def examine_machine() -> MachineFindings:
    """Try everything and report it. Takes a few seconds; a problem is a finding, not an error."""
    adapters, adapter_error = _examine_adapters()
    encoders = tuple(try_encoder(name) for name in KNOWN_ENCODERS)
    paths, channels = try_exports()
    found = MachineFindings(
        can_export_by_gpu=any(path.works for path in paths if path.name == "gpu"),
        adapters=adapters,
        adapter_error=adapter_error,
        encoders=encoders,
        decoders=try_decoders(),
        paths=paths,
        memory=_examine_memory(channels),
        cache=examine_cache(cache_folder()),
        ffmpeg=_examine_program("ffmpeg", "-version"),
        vmaf_error=_why_no_vmaf(),
        versions=_versions(),
    )
    return found.model_copy(update={"problems": find_problems(found, Platform.of_this_machine())})


def _examine_adapters() -> tuple[tuple[AdapterFinding, ...], str | None]:
    """Every adapter, and why no device opens where none does."""
    chosen, error_text = None, None
    try:
        infos = [adapter.info for adapter in list_adapters()]
    except AdapterError as error:
        return (), str(error)
    try:
        context = open_device()
    except AdapterError as error:
        error_text = str(error)
    else:
        chosen = context.adapter
        context.close()
    names = [adapter_name(info) for info in infos]
    # two cards of one model have one name; the first of them is the one that is opened
    chosen_number = names.index(chosen) if chosen in names else None
    return tuple(
        AdapterFinding(
            name=info["device"],
            backend=info["backend_type"],
            adapter_type=info["adapter_type"],
            driver=info["description"],
            is_software=is_software(info),
            is_chosen=number == chosen_number,
        )
        for number, info in enumerate(infos)
    ), error_text


def _examine_memory(channels: tuple[ChannelFinding, ...]) -> MemoryFinding:
    available = available_memory_bytes()
    return MemoryFinding(
        total_bytes=int(psutil.virtual_memory().total),
        available_bytes=available,
        cgroup_limit_bytes=cgroup.memory_limit_bytes(),
        cgroup_free_bytes=cgroup.memory_free_bytes(),
        channel_frames=channel_frames(available),
        gif_channel_frames=channel_frames(available, gif=True),
        channels=channels,
    )


def examine_cache(folder: Path) -> CacheFinding:
    """What lies in the cache, and whether there is room; other processes may write to it meanwhile."""
    # The folder is made with the first recording; until then its nearest parent tells what it will be like.
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return CacheFinding(
        folder=str(folder),
        size_bytes=_size_of_files(folder),
        free_bytes=psutil.disk_usage(str(existing)).free,
        is_writable=existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
    )


def _size_of_files(folder: Path) -> int:
    """All files in a folder and below; those that another process renames or removes meanwhile are left out."""
    total = 0
    for inside, _, names in os.walk(folder):  # unlike `rglob`, it passes over a folder that is gone when it gets there
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found = Path(inside, name).stat()
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def _examine_program(name: str, *arguments: str) -> ProgramFinding:
    """Where a program is, and the first line of what it says about itself."""
    path = shutil.which(name)
    if path is None:
        return ProgramFinding(name=name, path=None, version=None)
    try:
        said = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""  # found and does not run: the version stays unknown
    first_line = said.partition("\n")[0].partition(" Copyright")[0]
    return ProgramFinding(name=name, path=path, version=first_line.strip() or None)


def _why_no_vmaf() -> str | None:
    try:
        find_tool()
    except UnavailableError as error:
        return str(error)
    return None


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()}, {sys.platform})",
        **{name: version_of(name) for name in _LIBRARIES},
        "ffmpeg libraries in av": av.ffmpeg_version_info,
    }


KNOWN_ENCODERS = ("libx264", "libx265", "h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox", "h264_vaapi")
"""Software first, then one for each vendor's hardware."""


def try_encoder(name: str) -> EncoderFinding:
    """Let an encoder work on a few frames; one that does not is a finding and raises nothing."""
    if name not in av.codecs_available:
        return EncoderFinding(name=name, works=False, reason="not part of this build of FFmpeg")
    level = av.logging.get_level()
    # The error code of a missing driver is "operation not permitted"; only the log names the library.
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            probe_encoder(name)
    except EncoderError as error:
        # The first complaint is the cause, later ones follow from it.
        return EncoderFinding(name=name, works=False, reason=log[0][2].strip() if log else str(error))
    finally:
        av.logging.set_level(level)
    return EncoderFinding(name=name, works=True)
