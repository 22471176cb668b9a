"""The measured process, and other jobs that need av or wgpu: `python -m capbench.harness.worker SPEC.json`.

The runner must import neither library, so everything that touches them happens here: one job a process where it is
timed, and with `-` for SPEC.json one job after the other from standard input, a line of JSON each, whose answers are
lines on standard output. The spec is a JSON object with `job` (a key of `JOBS`), `answer` (file to write) and the job's
own keys; unknown keys are ignored, so that an older revision can be measured by a newer runner. The answer is
`{"result": ...}`, or `{"error": ..., "exit_code": ..., "disk_full": ...}` for an error that capbench raises on purpose,
or for a full disk. `frame=N` lines on stdout say how far an export is.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capbench.errors import CapbenchError, InputError, OutputError
from capbench.files import content_digest, is_disk_full
from capbench.units import parse_rate

if TYPE_CHECKING:
    from capbench.results import ExportReport

__all__ = ["JOBS", "main", "serve"]

Json = dict[str, Any]

_PROGRESS_EVERY_S = 0.25
"""Four lines a second: enough for a person, nothing for the measurement."""


def main(spec_path: Path) -> int:
    """Do one job and write its answer; returns the exit code."""
    spec: Json = json.loads(spec_path.read_text(encoding="utf-8"))
    answer, exit_code = _answer(spec)
    Path(spec["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return exit_code


def serve() -> int:
    """Do jobs from standard input until it ends; returns the exit code.

    A bug ends the process, as it does after a single job: its traceback is what the runner records.
    """
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answers:
        for line in sys.stdin:
            answer, _ = _answer(json.loads(line))
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    return 0


def _answer(spec: Json) -> tuple[Json, int]:
    """What a job found or why it failed on purpose, and the exit code."""
    try:
        answer: Json = {"result": JOBS[spec["job"]](spec)}
        exit_code = 0
    except CapbenchError as error:
        answer = {"error": str(error), "exit_code": error.exit_code, "type": type(error).__name__}
        answer["disk_full"] = is_disk_full(error)
        exit_code = error.exit_code
    except Exception as error:
        if not is_disk_full(error):
            raise  # a bug: its traceback is what the runner records
        answer = {"error": str(error), "exit_code": OutputError.exit_code, "type": "OSError", "disk_full": True}
        exit_code = OutputError.exit_code
    return answer, exit_code


def _export(spec: Json) -> Json:
    """Export by a path of the pipeline. `source`, `output` (null for none), `options` (of `ExportOptions`), `trace`.

    With `draws` a GPU is needed whatever the source is, and is opened while the libraries load.
    """
    from capbench.harness.process.gpu_valve import valve_of_environment
    from capbench.malloc_arenas import limit_malloc_arenas
    from capbench.pipeline.render.first_device import FirstDevice

    limit_malloc_arenas()
    with FirstDevice() as device:
        if spec.get("draws"):
            device.start()
        from capbench.pipeline.export import export  # only this job pays for it

        return _recorded(partial(export, device=device, valve=valve_of_environment()), spec)


def _floor(spec: Json) -> Json:
    """Decode and encode, nothing between. Keys as in `_export`."""
    from capbench.malloc_arenas import limit_malloc_arenas

    limit_malloc_arenas()
    from capbench.pipeline.export import floor_export

    return _recorded(floor_export, spec)


def _recorded(export: Callable[..., ExportReport], spec: Json) -> Json:
    recorder = None
    if spec.get("trace"):
        from capbench.harness.worker.perfetto import TraceRecorder

        recorder = TraceRecorder()
    report = export(
        Path(spec["source"]),
        None if spec["output"] is None else Path(spec["output"]),
        _export_options(spec["options"]),
        on_frame=_progress_printer(),
        on_span=recorder,
    )
    if recorder is not None:
        recorder.write(Path(spec["trace"]))
    from capbench.harness.worker.slowdown import plant

    return plant(report.model_dump(mode="json"))


def _prepare(spec: Json) -> Json:
    """Make or find a case's source and read what a command needs to know about it. `recording` or `source`."""
    from capbench.pipeline.decode.probe import probe_source
    from capbench.pipeline.scene import load_scene
    from capbench.recordings import make_recording

    options = _export_options(spec["options"])
    if not spec["knows_scene"]:
        load_scene(options.scene)
    recording = spec.get("recording")
    source = (
        Path(spec["source"]) if recording is None else make_recording(_recording_spec(recording, spec["duration_s"]))
    )
    if footage := spec.get("footage"):
        source = _normalised(source, footage)
    info = probe_source(source, accepts_hdr=options.tone_map is not None)
    upright = info.rotation_degrees % 180 == 0
    width, height = (info.width, info.height) if upright else (info.height, info.width)
    rate = Fraction(spec["fps"]) if spec.get("fps") else info.frame_rate
    width, height = spec.get("width") or width + width % 2, spec.get("height") or height + height % 2
    return {
        "source": str(source),
        "source_sha256": content_digest(source) if footage else None,
        "width": width,
        "height": height,
        "fps": str(rate),
        "duration_s": info.duration_s,
        "encoder_options": _ffmpeg_options(options.encoder, width, height, rate),
        "encoder_options_of_points": {
            label: _ffmpeg_options(_export_options(of_point).encoder, width, height, rate)
            for label, of_point in spec.get("points", {}).items()
        },
    }


def _normalised(source: Path, footage: Json) -> Path:
    """The file that a clip becomes, kept beside the recordings."""
    from capbench.pipeline.normalise_footage import Normalisation, normalise_footage
    from capbench.recordings import cache_folder

    same = ("width", "height", "start_s", "frames", "pixel_format")
    wanted = Normalisation(rate=Fraction(footage["fps"]), **{name: footage[name] for name in same})
    return normalise_footage(source, wanted, cache_folder().parent / "footage")


def _check(spec: Json) -> Json:
    """What is wrong with cases, without making anything. `cases`: keys as in `_prepare`, `name`, `subject_options`."""
    problems = []
    for case in spec["cases"]:
        try:
            _check_case(case)
        except CapbenchError as error:
            problems.append(f"case {case['name']!r}: {error}")
    return {"problems": problems}


def _check_case(case: Json) -> None:
    from capbench.pipeline.decode.probe import probe_source
    from capbench.pipeline.scene import load_scene

    for options in [{}, *case["subject_options"]]:
        for settings in case["options"]:
            _export_options(settings | options)
    if not case["knows_scene"]:
        load_scene(case["scene"])
    if case["recording"] is not None:
        _recording_spec(case["recording"], case["duration_s"])
    elif case["source"] is not None:  # a clip that is yet to be fetched cannot be opened
        probe_source(Path(case["source"]))


def _inspect(spec: Json) -> Json:
    """What a command wrote: `output`. Frames are decoded, because a container's count may lie."""
    import av

    from capbench.pipeline.decode.open_source import open_source
    from capbench.pipeline.decode.video import every_picture

    path = Path(spec["output"])
    with open_source(path) as container:
        if not container.streams.video:
            raise InputError(f"{path} has no video stream")
        stream = container.streams.video[0]
        frames = 0
        try:
            for _ in every_picture(path, container, lambda: open_source(path)):
                frames += 1
        except av.FFmpegError as error:
            raise InputError(f"{path} stops decoding after {frames} frames: {error.strerror}") from error
        rate = Fraction(stream.average_rate) if stream.average_rate else None
        return {
            "frames": frames,
            "video_bytes": _video_bytes(path),
            "width": stream.codec_context.width,
            "height": stream.codec_context.height,
            "frame_rate": str(rate) if rate else None,
            "duration_s": float(frames / rate) if rate else None,
            "encoder": None,
        }


def _video_bytes(path: Path) -> int:
    """Bytes of the first video stream's packets: what the pictures take without sound and container."""
    from capbench.pipeline.decode.open_source import open_source

    with open_source(path) as container:
        return sum(packet.size for packet in container.demux(container.streams.video[0]))


def _validate(spec: Json) -> Json:
    """Compare `output` with `source`. `scene`, `width`, `height`, `fps`, `tone_map`: what was meant.

    `save_frames` is a folder. `look` is what effects are judged by instead of pixels: `scene`, or a table.

    `metrics` are names of metrics, null for the default ones.
    """
    from capbench.pipeline.scene import load_scene
    from capbench.quality.effects.asked_path import asked_look
    from capbench.quality.validate import validate_run
    from capbench.results.appearance.expected_look import ExpectedLook

    look = spec.get("look")
    report = validate_run(
        Path(spec["source"]),
        Path(spec["output"]),
        scene=spec["scene"],
        width=spec["width"],
        height=spec["height"],
        rate=Fraction(spec["fps"]) if spec["fps"] else None,
        tone_map=spec.get("tone_map"),
        look=look and (asked_look(load_scene(spec["scene"])) if look == "scene" else ExpectedLook.model_validate(look)),
        save_frames=Path(spec["save_frames"]) if spec["save_frames"] else None,
        metrics=spec["metrics"],
    )
    return report.model_dump(mode="json")


def _measure_part(spec: Json) -> Json:
    """Measure one part of the pairs of `output` and `reference`: `plan` is JSON of a `PartPlan`.

    `arithmetic`, where given, is what `arithmetic_digest` gave where the other parts are measured.
    """
    from capbench.errors import PartError
    from capbench.quality.parts.known_pictures import arithmetic_digest
    from capbench.quality.parts.measure_part import measure_part
    from capbench.quality.parts.part_plan import PartPlan
    from capbench.quality.parts.records_json import records_as_json

    plan = PartPlan.from_json(spec["plan"])
    if spec.get("arithmetic") and arithmetic_digest(plan.metrics) != spec["arithmetic"]:
        raise PartError("its processor or libraries give other figures for known pictures in some last digits")
    return {"records": records_as_json(measure_part(Path(spec["reference"]), Path(spec["output"]), plan), plan)}


def _save_frames(spec: Json) -> Json:
    """Save the same frames of exports of `source`. `outputs`: the fields of `PicturedOutput`."""
    from capbench.quality.saved_frames import PicturedOutput, save_same_frames

    outputs = [
        PicturedOutput(Path(each["output"]), Path(each["folder"]), each["lowest_frames"], each["tone_map"])
        for each in spec["outputs"]
    ]
    saved = save_same_frames(Path(spec["source"]), outputs)
    return {"saved_frames": [[frame.model_dump(mode="json") for frame in frames] for frames in saved]}


def _machine(_spec: Json) -> Json:
    """Adapter, driver and FFmpeg's libraries of this machine."""
    import av

    from capbench.errors import AdapterError
    from capbench.pipeline.gpu.device import open_device

    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    found: Json = {"libraries": {"ffmpeg": av.ffmpeg_version_info, **libraries}}
    try:
        context = open_device()
    except AdapterError as error:
        return found | {"adapter_error": str(error)}
    found |= {"adapter": context.adapter, "adapter_is_software": context.is_software}
    found["driver"] = context.device.adapter.info["description"]
    context.close()
    return found


def _memory(_spec: Json) -> Json:
    """Memory that a process may still take now: a limit of control groups counts."""
    from capbench.pipeline.threads.memory_budget import available_memory_bytes

    return {"available_bytes": available_memory_bytes()}


JOBS: dict[str, Callable[[Json], Json]] = {
    "export": _export,
    "floor": _floor,
    "prepare": _prepare,
    "check": _check,
    "inspect": _inspect,
    "validate": _validate,
    "measure-part": _measure_part,
    "save-frames": _save_frames,
    "machine": _machine,
    "memory": _memory,
}
"""Job name to what does it."""


def _export_options(options: Json) -> Any:
    """`ExportOptions` from flat keys: its own fields, and those of its encoder settings."""
    from dataclasses import fields

    from capbench.pipeline.encode.encoders import EncoderSettings
    from capbench.pipeline.job import ExportOptions

    own = {field.name for field in fields(ExportOptions)} - {"encoder", "colour"}
    of_encoder = {field.name for field in fields(EncoderSettings)} - {"name"}
    if unknown := sorted(set(options) - own - of_encoder - {"encoder"}):
        from capbench.unknown_names import did_you_mean  # before it, nothing that loads pydantic

        known = sorted(own | of_encoder)
        meant = did_you_mean(unknown[0], known)
        raise InputError(f"unknown export option {unknown[0]!r}; available: {', '.join(known)}{meant}")
    encoder = {key: value for key, value in options.items() if key in of_encoder}
    if "encoder" in options:
        encoder["name"] = options["encoder"]
    values = {key: value for key, value in options.items() if key in own}
    if "fps" in values:
        values["fps"] = parse_rate(values["fps"])
    return ExportOptions(**values, encoder=EncoderSettings(**encoder))


def _ffmpeg_options(settings: Any, width: int, height: int, rate: Fraction) -> list[str]:
    """The case's encoder settings as arguments of the program ffmpeg."""
    from capbench.pipeline.encode.encoders import codec_options

    bit_rate, options = codec_options(settings, width, height, rate)
    arguments = ["-c:v", settings.name, "-g", str(round(settings.gop_s * rate))]
    if bit_rate:
        arguments += ["-b:v", str(bit_rate)]
    for name, value in options.items():
        arguments += [f"-{name}", value]
    return arguments


def _recording_spec(recording: str | Json, duration_s: float | None) -> Any:
    from dataclasses import replace

    from capbench.recordings import STANDARD_RECORDINGS, RecordingSpec

    if isinstance(recording, dict):
        rate = Fraction(recording["fps"])
        return RecordingSpec(**(recording | {"name": "own", "fps": rate, "duration_s": duration_s}))
    if recording not in STANDARD_RECORDINGS:
        raise InputError(f"unknown recording {recording!r}; available: {', '.join(STANDARD_RECORDINGS)}")
    standard = STANDARD_RECORDINGS[recording]
    return standard if duration_s is None else replace(standard, duration_s=duration_s)


def _progress_printer() -> Callable[[int], None]:
    last_s = 0.0

    def on_frame(done: int) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _PROGRESS_EVERY_S:
            last_s = now_s
            sys.stdout.write(f"frame={done}\n")
            sys.stdout.flush()

    return on_frame


if __name__ == "__main__":
    sys.exit(serve() if sys.argv[1] == "-" else main(Path(sys.argv[1])))
