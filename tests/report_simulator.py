"""Seeded result folders that look like real ones, for the tests of the report: any size, and no export runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.results import (
    Check,
    CheckStatus,
    LatencyPercentiles,
    MetricSummary,
    PatchError,
    RunResult,
    SavedFrame,
    StageTimes,
    TraceSample,
    ValidationReport,
    WorstFrame,
)
from capbench.results.environment import Environment
from capbench.results.folder import run_file_name

HOSTILE_NAMES = (
    "<script>alert('case')</script>",
    '"quotes\' & <b>tags</b>" onmouseover="alert(1)"',
    "long-" + "x" * 300,
    "\u202eright-to-left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "emoji \U0001f3ac\U0001f680 $\\frac{a}{b}$ {label 0} {{ 7*7 }} {% raw %}",
)
"""Names that a page, a chart, a markdown table or a CSV file could take for something else."""


@dataclass(frozen=True)
class SimulatedCase:
    """One case and how long the floor takes for it."""

    name: str
    width: int
    height: int
    frames: int
    floor_s: float


@dataclass(frozen=True)
class SimulatedSubject:
    """One subject relative to the floor."""

    name: str
    times_floor: float
    cpu_times_wall: float
    peak_rss_bytes: int
    bytes_per_pixel: float | None
    reports_stages: bool = True


STANDARD_CASES = (
    SimulatedCase("1080p-1min", 1920, 1080, 1800, 22.0),
    SimulatedCase("4k-1min", 3840, 2160, 1800, 88.0),
    SimulatedCase("1080p-10min", 1920, 1080, 18000, 221.0),
    SimulatedCase("hls-1080p-1min", 1920, 1080, 1800, 22.4),
)
STANDARD_SUBJECTS = (
    SimulatedSubject("floor", 1.0, 1.9, 210_000_000, None),
    SimulatedSubject("cpu", 2.6, 1.7, 912_000_000, 4.0),
    SimulatedSubject("gpu", 1.5, 1.5, 356_000_000, 1.5),
)


@dataclass(frozen=True)
class Simulation:
    """What to simulate; every figure follows from `seed`."""

    cases: Sequence[SimulatedCase] = STANDARD_CASES
    subjects: Sequence[SimulatedSubject] = STANDARD_SUBJECTS
    blocks: int = 10
    seed: int = 7
    adapter: str = "NVIDIA GeForce RTX 4070, driver 550.54 (Vulkan)"
    adapter_is_software: bool = False
    revision: str = "4f2c9e1"
    fingerprint: str = "linux-x86_64-16c-64g-5f1d"
    started_at: str = "2026-03-02T09:14:05Z"
    trace_samples: int = 120
    picture_size: tuple[int, int] | None = (960, 540)
    noise: float = 0.02
    slowdown: Mapping[str, float] = field(default_factory=dict)
    """Subject to a factor on its time."""
    failing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(case, subject) to the error text of all its runs."""
    broken_colour: frozenset[str] = frozenset()
    """Subjects whose output has the wrong matrix."""


def write_simulated_folder(folder: Path, simulation: Simulation) -> Path:
    """Write `runs/*.json`, `matrix.json`, `environment.json` and pictures of worst frames; returns the folder."""
    (folder / "runs").mkdir(parents=True)
    runs = simulate_runs(simulation)
    for number, run in enumerate(runs):
        if run.validation and simulation.picture_size:
            for saved in run.validation.saved_frames:
                _write_pictures(folder, saved, simulation, run.subject)
        name = run_file_name(run.case, run.subject, run.role, run.block)
        if "/" in name or len(name) > 200:  # the runner refuses such names; a folder made by hand may hold them
            name = f"{number:04d}.json"
        (folder / "runs" / name).write_text(run.model_dump_json(), encoding="utf-8")
    (folder / "matrix.json").write_text(json.dumps(_plan(simulation)), encoding="utf-8")
    (folder / "environment.json").write_text(_environment(simulation).model_dump_json(), encoding="utf-8")
    return folder


def simulate_runs(simulation: Simulation) -> list[RunResult]:
    """All runs, in the order in which a runner would have made them."""
    random = np.random.default_rng(simulation.seed)
    runs = []
    for block in range(simulation.blocks):
        for case in simulation.cases:
            weather = float(random.lognormal(0, simulation.noise))
            walls: dict[str, float] = {}
            for subject in simulation.subjects:
                noise = float(random.lognormal(0, simulation.noise))
                wall_s = case.floor_s * subject.times_floor * weather * noise
                walls[subject.name] = wall_s * simulation.slowdown.get(subject.name, 1.0)
            order = random.permutation(len(simulation.subjects))
            for position, index in enumerate(order):
                subject = simulation.subjects[int(index)]
                floor_s = walls.get("floor")
                runs.append(_run(simulation, case, subject, block, position, walls[subject.name], floor_s, random))
    return runs


def _run(  # noqa: PLR0917  one draw of everything that makes a run
    simulation: Simulation,
    case: SimulatedCase,
    subject: SimulatedSubject,
    block: int,
    position: int,
    wall_s: float,
    floor_s: float | None,
    random: np.random.Generator,
) -> RunResult:
    error = simulation.failing.get((case.name, subject.name))
    common = RunResult(
        case=case.name,
        subject=subject.name,
        block=block,
        order=position,
        started_at=simulation.started_at,
        command=("python", "-m", "capbench.harness.worker", case.name, subject.name),
        fingerprint=simulation.fingerprint,
        revision=simulation.revision,
        adapter=simulation.adapter,
        adapter_is_software=simulation.adapter_is_software,
    )
    if error is not None:
        return common.model_copy(update={"error": error, "unmeasured": {"wall_s": "the run failed"}})
    pixels = case.width * case.height * case.frames
    peak = int(subject.peak_rss_bytes * (case.width / 1920) ** 0.5 * random.normal(1, 0.01))
    path = None if subject.name == "floor" else subject.name
    return common.model_copy(
        update={
            "frames": case.frames,
            "width": case.width,
            "height": case.height,
            "duration_s": case.frames / 30,
            "wall_s": wall_s,
            "process_wall_s": wall_s + 0.8,
            "fps": case.frames / wall_s,
            "times_realtime": case.frames / 30 / wall_s,
            "times_floor": wall_s / floor_s if floor_s else None,
            "cpu_s": wall_s * subject.cpu_times_wall,
            "cpu_percent": subject.cpu_times_wall * 100,
            "peak_rss_bytes": peak,
            "gpu_memory_bytes": None if path is None else int(140e6 * case.width / 1920),
            "gpu_busy_s": None if path is None else wall_s * 0.11,
            "upload_bytes": None if path is None else int(pixels * 1.5),
            "readback_bytes": None if subject.bytes_per_pixel is None else int(pixels * subject.bytes_per_pixel),
            "output_bytes": int(case.frames * case.width * 3.1),
            "path_requested": path,
            "path_used": path,
            "encoder": "libx264",
            "stages": _stages(subject, wall_s) if subject.reports_stages else {},
            "latency": LatencyPercentiles(p50_s=0.11, p95_s=0.19, p99_s=0.26, max_s=0.41 * subject.times_floor),
            "time_to_first_frame_s": 0.3,
            "trace": _trace(simulation.trace_samples, wall_s, peak, subject.cpu_times_wall, random),
            "validation": _validation(simulation, case, subject, block, random),
            "unmeasured": {} if path else {"readback_bytes": "the floor does not touch the GPU"},
        }
    )


def _stages(subject: SimulatedSubject, wall_s: float) -> dict[str, StageTimes]:
    encode = wall_s * min(0.96, 1.35 / subject.times_floor)
    convert = wall_s * (0.55 if subject.name == "cpu" else 0.04)

    def stage(work_s: float, share_of_waiting_in: float) -> StageTimes:
        idle_s = max(wall_s - work_s, 0)
        waiting_in = idle_s * share_of_waiting_in
        return StageTimes(work_s=work_s, wait_input_s=waiting_in, wait_output_s=idle_s - waiting_in)

    if subject.name == "floor":
        return {"decode": stage(wall_s * 0.16, 0), "encode": stage(encode, 1)}
    return {
        "decode": stage(wall_s * 0.16, 0),
        "upload": stage(wall_s * 0.05, 0.2),
        "composite": stage(wall_s * 0.07, 0.2),
        "convert": stage(convert, 0.3),
        "readback": stage(wall_s * 0.09, 0.3),
        "encode": stage(encode, 1),
        "mux": stage(wall_s * 0.01, 1),
    }


def _trace(
    samples: int, wall_s: float, peak: int, cpu_times_wall: float, random: np.random.Generator
) -> tuple[TraceSample, ...]:
    times = np.linspace(0, wall_s, samples) if samples else np.empty(0)
    fill = 1 - np.exp(-times / max(wall_s * 0.06, 1e-9))
    return tuple(
        TraceSample(
            time_s=float(time),
            rss_bytes=int(peak * (0.25 + 0.74 * part) * random.normal(1, 0.004)),
            cpu_percent=float(max(0, 100 * cpu_times_wall * (0.4 + 0.6 * part) * random.normal(1, 0.08))),
        )
        for time, part in zip(times, fill, strict=True)
    )


def _validation(
    simulation: Simulation, case: SimulatedCase, subject: SimulatedSubject, block: int, random: np.random.Generator
) -> ValidationReport | None:
    if subject.name == "floor":
        return None
    broken = subject.name in simulation.broken_colour
    frames = min(case.frames, 600)
    wave = np.sin(np.arange(frames) / 37) * 0.8
    keyframes = (np.arange(frames) % 60 == 0) * 0.7
    psnr = 43.2 + wave + keyframes - (9 if broken else 0) + random.normal(0, 0.15, frames)
    psnr[[frames // 3, frames // 2, frames - 7]] -= (4.1, 3.2, 2.7)
    further = {"psnr_cb": psnr + 1.5, "ffmpeg_psnr_y": psnr}
    series = {"psnr_y": psnr, "ssim_y": 1 - 10 ** (-psnr / 21), "xpsnr_y": psnr - 2.4 + random.normal(0, 0.1, frames)}
    worst = tuple(
        WorstFrame(
            frame=int(frame),
            metric="psnr_y",
            value=float(psnr[frame]),
            reference_png=f"frames/{_slug(simulation, case, subject)}/{frame}-reference.png",
            output_png=f"frames/{_slug(simulation, case, subject)}/{frame}-output.png",
            difference_png=f"frames/{_slug(simulation, case, subject)}/{frame}-difference.png",
        )
        for frame in np.argsort(psnr)[:3]
    )
    saved = tuple(
        SavedFrame(
            frame=int(frame),
            time_s=frame / 30,
            reasons=_reasons(int(frame), frames, worst),
            reference_png=f"frames/{_slug(simulation, case, subject)}/{frame}-reference.png",
            output_png=f"frames/{_slug(simulation, case, subject)}/{frame}-output.png",
        )
        for frame in sorted({0, frames // 5, frames - 1, *(each.frame for each in worst)})
    )
    return ValidationReport(
        reference="oracle.y4m",
        output=f"outputs/{block}.mp4",
        checks=_checks(case, broken=broken),
        metrics={
            name: _summary(values, "" if name.startswith("ssim") else "dB")
            for name, values in (series | further).items()
        },
        patches=_patches(broken=broken),
        series={name: tuple(float(value) for value in values) for name, values in series.items()},
        worst_frames=worst if simulation.picture_size and block == 0 else (),
        saved_frames=saved if simulation.picture_size and block == 0 else (),
        av_offset_ms=3.4,
        av_drift_ms=0.2,
        frames_compared=frames,
    )


def _reasons(frame: int, frames: int, worst: Sequence[WorstFrame]) -> tuple[str, ...]:
    named = {0: "first", frames - 1: "last", worst[0].frame: "psnr_y"}
    return (named.get(frame, "second"),)


def _slug(simulation: Simulation, case: SimulatedCase, subject: SimulatedSubject) -> str:
    return f"{list(simulation.cases).index(case)}-{list(simulation.subjects).index(subject)}"


def _summary(values: NDArray[np.float64], unit: str) -> MetricSummary:
    return MetricSummary(
        mean=float(values.mean()),
        harmonic_mean=float(len(values) / (1 / values).sum()),
        p5=float(np.percentile(values, 5)),
        p1=float(np.percentile(values, 1)),
        worst=float(values.min()),
        worst_frame=int(values.argmin()),
        frames=len(values),
        unit=unit,
    )


def _checks(case: SimulatedCase, *, broken: bool) -> tuple[Check, ...]:
    matrix = (
        Check(
            name="colour.matrix",
            status=CheckStatus.FAIL,
            message="pixels are BT.601 but tagged BT.709: green is off by 28 codes",
            value=28,
            limit=3,
            unit="codes",
        )
        if broken
        else Check(
            name="colour.matrix", status=CheckStatus.PASS, message="BT.709, as tagged", value=1, limit=3, unit="codes"
        )
    )
    return (
        Check(
            name="frames.missing",
            status=CheckStatus.PASS,
            message=f"all {case.frames} frames are there",
            value=0,
            limit=0,
        ),
        Check(name="frames.order", status=CheckStatus.PASS, message="every frame number follows the one before"),
        Check(name="pts.monotonic", status=CheckStatus.PASS, message="timestamps rise by one frame each"),
        matrix,
        Check(name="colour.tags", status=CheckStatus.PASS, message="bitstream and container: 709, limited, left"),
        Check(name="audio.present", status=CheckStatus.PASS, message="AAC, 48 kHz, stereo"),
        Check(name="audio.offset", status=CheckStatus.PASS, message="3.4 ms late", value=3.4, limit=20, unit="ms"),
        Check(name="alpha.edges", status=CheckStatus.NOT_APPLICABLE, message="the scene has no transparency"),
    )


def _patches(*, broken: bool) -> tuple[PatchError, ...]:
    truth = {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "white": (255, 255, 255),
        "grey 50": (128, 128, 128),
        "skin": (224, 172, 138),
        "near black": (5, 5, 5),
    }
    found = []
    for name, (red, green, blue) in truth.items():
        shift = 28 if broken and name in {"red", "green", "skin"} else 1
        got = (max(red - shift, 0), max(green - shift, 0), min(blue + 1, 255))
        error = max(abs(a - b) for a, b in zip((red, green, blue), got, strict=True))
        found.append(
            PatchError(
                name=name, expected=(red, green, blue), got=got, error_codes=error, ciede2000=round(error * 0.31, 2)
            )
        )
    return tuple(found)


def _write_pictures(folder: Path, saved: SavedFrame, simulation: Simulation, subject: str) -> None:
    """Reference, output and difference: the reference is one for all subjects, the noise of each output its own."""
    width, height = simulation.picture_size or (0, 0)
    random = np.random.default_rng(saved.frame)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    reference = np.stack([across * 255 // width, down * 255 // height, (across + down) % 256], axis=-1).astype(np.uint8)
    for _ in range(60):
        left, top = int(random.integers(0, width - 90)), int(random.integers(0, height - 20))
        reference[top : top + 3, left : left + int(random.integers(20, 90))] = random.integers(0, 256, 3)
    noise = np.random.default_rng([saved.frame, *subject.encode()]).integers(-2, 3, reference.shape)
    output = np.clip(reference.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    left, top = width * 5 // 8, height // 4
    output[top : top + 60, left : left + 110] = output[top : top + 60, left : left + 110] // 2 + 60
    difference = np.clip(np.abs(reference.astype(np.int16) - output) * 4, 0, 255).astype(np.uint8)
    for name, pixels in (
        (saved.reference_png, reference),
        (saved.output_png, output),
        (saved.output_png.replace("-output", "-difference"), difference),
    ):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target, compress_level=1)


def _plan(simulation: Simulation) -> dict[str, object]:
    return {
        "schema_version": 1,
        "seed": simulation.seed,
        "started_at": simulation.started_at,
        "command": ["capbench", "run", "standard", "--blocks", str(simulation.blocks)],
        "matrix": {
            "name": "standard",
            "cases": [{"name": case.name, "width": case.width, "height": case.height} for case in simulation.cases],
            "subjects": [{"name": subject.name} for subject in simulation.subjects],
        },
        "skipped": {"videotoolbox": "needs macOS"},
    }


def _environment(simulation: Simulation) -> Environment:
    return Environment(
        fingerprint=simulation.fingerprint,
        cpu_model="AMD Ryzen 9 7950X",
        cores_logical=32,
        cores_usable=32,
        memory_bytes=64 * 2**30,
        governor="performance",
        turbo=True,
        os="Debian GNU/Linux 13",
        kernel="6.12.0",
        architecture="x86_64",
        python="CPython 3.12.3",
        packages={"capbench": "0.1.0", "wgpu": "0.32.1", "av": "18.1.0"},
        unmeasured={"cpu_limit_cores": "no-limit-file-in-/sys/fs/cgroup/a-long-path-without-a-single-blank/cpu.max"},
        adapter=simulation.adapter,
        adapter_is_software=simulation.adapter_is_software,
        git_revision=simulation.revision,
        git_dirty=False,
    )


def rename_cases(simulation: Simulation, names: Sequence[str]) -> Simulation:
    """The same simulation with other case names, in order."""
    cases = tuple(replace(case, name=name) for case, name in zip(simulation.cases, names, strict=False))
    return replace(simulation, cases=cases)
