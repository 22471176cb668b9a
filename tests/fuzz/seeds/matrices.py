"""Matrix files, shipped ones and one that says everything, with what they include; plans made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import Plan
from capbench.harness.run.start import RunOptions, settle_matrix
from capbench.installation import version_of
from capbench.resources import matrix_folder
from tests.fuzz.seeds.seed_input import SeedInput

__all__ = ["matrix_seeds"]

_INCLUDES: Final = {
    "standard.toml": ("subjects.toml",),
    "quick.toml": ("subjects.toml",),
    "rivals.toml": ("subjects.toml",),
    "curve.toml": (),
    "ladder-short.toml": ("ladder-subjects.toml",),
}
"""Shipped matrix to what it includes."""
_OWN: Final = """\
description = "Everything that a matrix file may say"
include = ["own-subjects.toml"]
reference = "cpu"

[defaults]
subjects = ["floor", "cpu", "gpu"]
blocks = 4
timeout_s = 60
settle_s = 0.1
interleave = "slices"
slice_ms = 50

[[case]]
name = "clip"
source = "clips/one.mp4"
scene = "framed"
subjects = ["floor", "cpu", "mine", "x264"]
expect = "scene"
fps = "30000/1001"
width = 96
height = 64
metrics = ["default", "cambi"]
[case.thresholds]
"psnr_y.mean" = { min = 30 }
peak_rss_bytes = { max = 500_000_000 }

[[case]]
name = "product"
recording = { width = 320, height = 180, fps = "30", container = "hls", seed = 3 }
duration_s = 1
options = { preset = "fast", gop_s = 2.0 }
[case.product]
qp = [18, 30]
scene = ["bare", "own-scene.toml"]

[[case]]
name = "curve"
recording = "1080p-1min"
duration_s = 0.5
subjects = ["cpu", "gpu", "capacity-gpu"]
[case.curve]
bitrate = ["1M", "2M", "4M", "8M"]

[[case]]
name = "park"
footage = "park"
subjects = ["cpu", "gpu"]

[[case]]
name = "asked"
source = "clips/one.mp4"
subjects = ["cpu", "mine"]
[case.expect]
padding = 0.06
shadow = { opacity = 0.4, blur_px = 40, offset_px = [0, 12] }
background = "gradient"
[[case.expect.zoom]]
start_s = 0.1
end_s = 0.4
amount = 1.6

[[case]]
name = "rung-1"
recording = "1080p-1min"
duration_s = 1

[[case]]
name = "rung-2"
recording = "1080p-1min"
duration_s = 1
scene = "framed"

[[ladder]]
name = "steps"
rungs = ["rung-1", "rung-2"]

[[corpus]]
name = "clips"
folder = "clips"
pattern = "*.mp4"
subjects = ["cpu", "gpu"]

[[footage]]
name = "park"
url = "https://example.org/park_run.y4m"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
licence = "CC BY 4.0"
width = 1280
height = 720
fps = 30
start_s = 1.5
duration_s = 4
pixel_format = "yuv420p10le"

[[override]]
case = "product*"
blocks = 2
warmup = false
interleave = "runs"

[[machine]]
match = { adapter = "NVIDIA*", system = "Linux" }
tags = { lab = "berlin" }
software = false
blocks = 20
"""
_OWN_SUBJECTS: Final = """\
[defaults]
quality = "high"

[[subject]]
name = "mine"
command = "my-exporter --in {source} --out {output} --size {width}x{height} --scene {scene} --metrics {metrics}"
env = { MY_THREADS = "2" }
look = "own"
begins = "export started"
ends = "output"
prepare = "my-exporter --reset"
conclude = ["my-exporter", "--close", "{output}"]
sampled = false

[[subject]]
name = "x264"
command = ["ffmpeg", "-i", "{source}", "-preset", "{preset}", "{encoder_options}", "{output}"]
output_suffix = ".mkv"
scenes = ["bare", "framed"]
[subject.product]
preset = ["veryfast", "medium"]

[[subject]]
name = "threads"
path = "cpu"
decoder = "auto"
options = { swscale_threads = 0, decoder_threads = 2 }
"""
_OWN_SCENE: Final = b"[display]\npadding = 0.1\nrounding_px = 20\n[[caption]]\ntext = 'a'\nend_s = 0.2\n"


def matrix_seeds(folder: Path, clips: Mapping[str, bytes]) -> Iterator[SeedInput]:
    """Matrices that are checked and planned up to the steps of their first block, and a plan that is resumed."""
    shipped = {path.name: path.read_bytes() for path in sorted(matrix_folder().glob("*.toml"))}
    for name, included in _INCLUDES.items():
        files = {key: shipped[key] for key in (name, *included)}
        yield SeedInput(
            name=f"matrix-{name}",
            kind="matrix",
            files=files,
            mutable=tuple(files),
            arguments=("-plan-matrix", name),
            may_leave=("planned/*",),
        )
    own = {
        "own.toml": _OWN.encode(),
        "own-subjects.toml": _OWN_SUBJECTS.encode(),
        "own-scene.toml": _OWN_SCENE,
        "clips/one.mp4": clips["h264.mp4"],
        "clips/two.mp4": clips["h264.mp4"],
    }
    own_names = ("own.toml", "own.toml", "own.toml", "own-subjects.toml", "own-subjects.toml", "own-scene.toml")
    for name, mutable in (("own", own_names), ("own-clips", ("clips/one.mp4",))):
        yield SeedInput(
            name=f"matrix-{name}",
            kind="matrix",
            files=own,
            mutable=mutable,
            arguments=("-plan-matrix", "own.toml"),
            may_leave=("planned/*",),
        )
    yield SeedInput(name="matrix-check", kind="matrix", files=own, mutable=own_names, arguments=("check", "own.toml"))
    yield _resumed(folder / "resumed", {name: shipped[name] for name in ("quick.toml", "subjects.toml")})


def _resumed(folder: Path, files: Mapping[str, bytes]) -> SeedInput:
    """A folder that was begun and has no run yet. Of this matrix no subject or case says where a file lies."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    matrix = settle_matrix(load_matrix(folder / "quick.toml"), RunOptions(), is_endless=False)
    RunFolder(folder / "begun").begin(Plan(capbench_version=version_of("capbench"), matrix=matrix, seed=1))
    plan = (folder / "begun" / "matrix.json").read_bytes()
    return SeedInput(
        name="matrix-resume",
        kind="matrix",
        files={**files, "begun/matrix.json": plan, "begun/runs/none.log": b""},
        mutable=("begun/matrix.json",),
        arguments=("-resume-plan", "begun", "quick.toml"),
        may_change=("begun/matrix.json",),
    )
