"""Run by the nox session `wheel` in an empty environment, from a folder that is not the checkout.

Checks that the installed package finds its shaders and matrices and can export by path `gpu`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import capbench
from capbench.recordings import RecordingSpec, make_recording
from capbench.resources import matrix_folder, shaders_folder

_CHECKOUT = Path(__file__).resolve().parent.parent
_FRAMES = 30


def main() -> None:
    """Raise `AssertionError` for whatever is missing."""
    package = Path(capbench.__file__).resolve().parent
    assert package != _CHECKOUT / "capbench", "this is the checkout, not an installed wheel"
    assert (package / "py.typed").is_file()
    for folder, suffix in ((shaders_folder(), "wgsl"), (matrix_folder(), "toml")):
        assert folder.parent == package, folder
        ours = _files(_CHECKOUT / folder.name, suffix)
        assert ours, f"no {suffix} file in the checkout"
        assert _files(folder, suffix) == ours
    with TemporaryDirectory() as name:
        source = make_recording(RecordingSpec("wheel", 320, 180, 30, 1), folder=Path(name))
        report = _export(source, Path(name) / "out.mp4")
    assert (report["frames"], report["path_used"], report["fallbacks"]) == (_FRAMES, "gpu", []), report
    print(f"capbench {capbench.__version__} in {package}: {report['frames']} frames by {report['adapter']}")  # noqa: T201


def _files(folder: Path, suffix: str) -> list[str]:
    """Paths inside a folder: a file that is imported from a subfolder must lie in that subfolder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"*.{suffix}"))


def _export(source: Path, output: Path) -> dict[str, object]:
    """Export with the installed program and read its report."""
    program = Path(sys.executable).with_name("capbench")
    command = [str(program), "export", str(source), str(output), "--path", "gpu", "--json", "-"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120)
    assert output.stat().st_size > 0
    report: dict[str, object] = json.loads(ended.stdout)
    return report


if __name__ == "__main__":
    main()
