"""What can go wrong in the middle of an export, injected: it ends at once, says where, and leaves nothing behind.

| fault | what the user sees |
|---|---|
| a stage raises | `PipelineError` with the stage and the frame |
| the encoder, the decoder or the GPU hangs | `StallError` that names it |
| the disk is full | `OutputError`, exit 2 |
| the device is lost | nothing but a line in `fallbacks`: every frame is in the file once |
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting
from capbench.errors import (
    AdapterError,
    CancelledExportError,
    DeviceLostError,
    InputError,
    OutputError,
    PipelineError,
    StallError,
)
from capbench.pipeline import export as export_module
from capbench.pipeline import stage_bodies, stage_graph
from capbench.pipeline.conversion.registry import path_factory
from capbench.pipeline.conversion.swscale import CpuPath
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.encode.mp4 import SoundEncoder, VideoEncoder
from capbench.pipeline.encode.mux import OutputFile
from capbench.pipeline.export import ExportOptions, export
from capbench.pipeline.gpu import readback_ring as staging
from capbench.pipeline.gpu import upload_ring
from capbench.pipeline.gpu.device import GpuContext, open_device, wait_for
from capbench.pipeline.gpu.upload_ring import UploadSlot
from capbench.pipeline.job import prepare
from capbench.pipeline.render import first_device, render_stage
from capbench.pipeline.render.renderer import Renderer
from capbench.recordings import RecordingSpec, make_recording
from capbench.recordings.marks import read_frame_number
from capbench.results import ExportReport

FRAMES = 40
AT = 12
"""Frame at which faults strike: after the rings are full and long before the end."""
STALL_S = 1.0
"""Long for a frame of this size; 0.4 s were too short for a thread of a machine with six programs to each core."""
AT_ONCE_S = 8.0
"""A stop that had to wait out a stage's grace or another's time-out would take longer."""

OPTIONS = ExportOptions(path="gpu", encoder=EncoderSettings(preset="ultrafast"))


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("failures", 320, 180, 20, FRAMES / 20))


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """A file name in a folder of its own, beside a file that must survive; checks that no thread is left."""
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder / "out.mp4"
    _wait_for_threads()


def _wait_for_threads() -> None:
    deadline_s = time.monotonic() + AT_ONCE_S
    while left := [t.name for t in threading.enumerate() if t.name.startswith("capbench-")]:
        assert time.monotonic() < deadline_s, f"threads are left: {left}"
        time.sleep(0.01)


def frame_numbers(video: Path) -> list[int | None]:
    """The number that is drawn into each frame."""
    with av.open(str(video)) as container:
        lumas = [frame.to_ndarray()[: frame.height].astype(np.uint8) for frame in container.decode(video=0)]
    return [read_frame_number(luma) for luma in lumas]


def at_call(number: int, act: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """`original`, but its call of that number, counted from 0, is `act`'s."""
    calls = iter(range(10**9))

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return (act if next(calls) == number else original)(*args, **kwargs)

    return wrapped


def fail(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("planted")


def failing_frames(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A reader that raises at frame `AT`."""

    def read(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for number, frame in enumerate(original(*args, **kwargs)):
            if number == AT:
                fail()
            yield frame

    return read


@dataclass(frozen=True, slots=True)
class Fault:
    """Where to plant a failure, and which path passes there."""

    owner: Any
    name: str
    path: str
    wrap: Callable[[Any], Any]


FAULTS = {
    "decode": Fault(stage_bodies, "read_frames", "gpu", failing_frames),
    "audio": Fault(stage_bodies, "read_audio", "gpu", failing_frames),
    "upload": Fault(UploadSlot, "fill", "gpu", lambda original: at_call(AT, fail, original)),
    "render": Fault(Renderer, "_submit", "gpu", lambda original: at_call(AT, fail, original)),
    "convert": Fault(CpuPath, "finish", "cpu", lambda original: at_call(AT, fail, original)),
    "encode": Fault(VideoEncoder, "encode", "gpu", lambda original: at_call(AT, fail, original)),
    "mux": Fault(OutputFile, "write", "gpu", lambda original: at_call(0, fail, original)),
}


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("stage", FAULTS)
def test_failing_stage_stops_all_and_is_named(
    stage: str, recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = FAULTS[stage]
    monkeypatch.setattr(fault.owner, fault.name, fault.wrap(getattr(fault.owner, fault.name)))
    started_s = time.monotonic()

    with pytest.raises(PipelineError, match="planted") as caught:
        export(recording, output, replace(OPTIONS, path=fault.path))

    assert caught.value.stage == stage
    assert caught.value.frame == (None if stage in ("audio", "mux") else AT)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert time.monotonic() - started_s < AT_ONCE_S
    assert list(output.parent.iterdir()) == []


@pytest.fixture
def hang() -> Iterator[Callable[..., None]]:
    """A call that hangs until the test is over."""
    over = threading.Event()

    def wait(*_: Any, **__: Any) -> None:
        over.wait(60)

    yield wait
    over.set()
    _wait_for_threads()


@pytest.mark.parametrize(
    ("owner", "call", "number", "stage", "frame"),
    [
        pytest.param(VideoEncoder, "encode", AT, "encode", AT, id="encode"),
        pytest.param(VideoEncoder, "finish", 0, "encode", FRAMES - 1, id="encode-end"),
        pytest.param(SoundEncoder, "encode", AT, "audio", None, id="audio"),
        pytest.param(OutputFile, "write", 0, "mux", None, id="mux"),
        pytest.param(OutputFile, "complete", 0, "mux", FRAMES - 1, id="mux-end"),
    ],
)
def test_hung_stage_is_named(
    owner: Any,
    call: str,
    number: int,
    stage: str,
    frame: int | None,
    *,
    recording: Path,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    hang: Callable[..., None],
) -> None:
    monkeypatch.setattr(owner, call, at_call(number, hang, getattr(owner, call)))
    started_s = time.monotonic()

    with pytest.raises(StallError, match=f"{stage} stalled") as caught:
        export(recording, output, replace(OPTIONS, path="passthrough", stall_timeout_s=STALL_S))

    assert (caught.value.stage, caught.value.frame) == (stage, frame)
    assert time.monotonic() - started_s < AT_ONCE_S
    assert list(output.parent.iterdir()) == []


def test_hung_decoder_is_named(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch, hang: Callable[..., None]
) -> None:
    original = read_frames

    def read(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for number, frame in enumerate(original(*args, **kwargs)):
            if number == AT:
                hang()
            yield frame

    monkeypatch.setattr(stage_bodies, "read_frames", read)

    with pytest.raises(StallError, match=f"decode stalled at frame {AT}") as caught:
        export(recording, output, replace(OPTIONS, path="passthrough", stall_timeout_s=STALL_S))

    assert (caught.value.stage, caught.value.frame) == ("decode", AT)
    assert list(output.parent.iterdir()) == []


@pytest.mark.usefixtures("gpu")
def test_map_that_never_completes_is_named(recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original_wait = wait_for

    def never(promise: Any, timeout_s: float, what: str) -> None:
        promise.sync_wait()  # the real one is not left pending
        stuck = type("Stuck", (), {"_thread_event": threading.Event()})()
        original_wait(stuck, min(timeout_s, STALL_S), what)

    monkeypatch.setattr(staging, "wait_for", at_call(AT, never, original_wait))

    with pytest.raises(StallError, match="the GPU stalled: reading a picture back did not finish") as caught:
        export(recording, output, OPTIONS)

    assert caught.value.frame is not None
    assert caught.value.frame >= AT
    assert list(output.parent.iterdir()) == []


def test_slow_encoder_does_not_stall(recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound waits for the encoder much longer than a stage may be silent: the encoder is busy, not stuck."""
    original = VideoEncoder.encode

    def slow(*args: Any) -> Any:
        time.sleep(STALL_S / 10)
        return original(*args)

    monkeypatch.setattr(VideoEncoder, "encode", slow)
    monkeypatch.setattr(stage_graph, "SOUND_PACKETS", 1)

    report = export(recording, output, replace(OPTIONS, path="passthrough", stall_timeout_s=STALL_S))

    assert report.frames == FRAMES
    assert (report.stages["audio"].wait_output_s or 0.0) > STALL_S


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Sets how large a file of this process may become: what a full disk does, without one."""
    resource = pytest.importorskip("resource", reason="Windows has no limit on file sizes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out.mp4", "out.gif"])
def test_full_disk(name: str, recording: Path, output: Path, file_size_limit: Callable[[int], None]) -> None:
    file_size_limit(10_000)

    with pytest.raises(OutputError, match=r"cannot write to .*out: .* after .* kB; free some space") as caught:
        export(recording, output.with_name(name), replace(OPTIONS, path=None))

    assert caught.value.exit_code == 2
    assert list(output.parent.iterdir()) == []


def test_failed_export_leaves_the_file_that_was_there(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output.write_bytes(b"an older export")
    monkeypatch.setattr(OutputFile, "complete", fail)

    with pytest.raises(PipelineError, match="planted"):
        export(recording, output, replace(OPTIONS, path="passthrough"))

    assert output.read_bytes() == b"an older export"
    assert list(output.parent.iterdir()) == [output]


def test_cancelled_export_ends_and_leaves_nothing(recording: Path, output: Path) -> None:
    cancel = threading.Event()

    def on_frame(number: int) -> None:
        if number == 1:
            cancel.set()
        time.sleep(0.02)  # or all frames would be through before the main thread looks

    with pytest.raises(CancelledExportError) as caught:
        export(recording, output, replace(OPTIONS, path="passthrough"), on_frame=on_frame, cancel=cancel)

    assert caught.value.exit_code == 130
    assert list(output.parent.iterdir()) == []


def losing_devices(monkeypatch: pytest.MonkeyPatch, *, at: int, times: int = 1) -> None:
    """Close the renderer's device right after its submit of that number, for the first `times` renderers."""
    original = Renderer._submit
    lost: list[Any] = []

    def submit(renderer: Any, frame: Any, clock: Any, number: int) -> None:
        original(renderer, frame, clock, number)
        if number == at and len(lost) < times:
            lost.append(renderer)
            renderer._gpu.close()

    monkeypatch.setattr(Renderer, "_submit", submit)


def exported(recording: Path, output: Path, path: str) -> ExportReport:
    return export(recording, output, replace(OPTIONS, path=path))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("path", "at", "times"),
    [
        pytest.param("gpu", AT, 1, id="gpu"),
        pytest.param("gpu-fused", AT, 1, id="gpu-fused"),
        pytest.param("cpu", AT, 1, id="cpu"),
        pytest.param("gpu", 0, 1, id="first-frame"),
        pytest.param("gpu", FRAMES - 1, 1, id="last-frame"),
        pytest.param("gpu", AT, 3, id="three-devices"),
    ],
)
def test_lost_device_is_replaced_and_every_frame_is_there_once(
    path: str, at: int, times: int, *, recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_devices(monkeypatch, at=at, times=times)

    report = exported(recording, output, path)

    assert frame_numbers(output) == list(range(FRAMES))
    assert report.frames == FRAMES
    assert report.path_used == path
    assert len(report.fallbacks) == times
    assert all("device was lost at frame" in reason for reason in report.fallbacks)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("at", [0, AT, FRAMES - 1])
def test_loss_that_the_upload_thread_meets_first(
    at: int, recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that were filled and not yet drawn are among those that the next device draws."""
    original = UploadSlot.fill

    def lose(slot: Any, *_: Any) -> None:
        raise DeviceLostError(f"planted in slot {slot.number}", stage="gpu")

    monkeypatch.setattr(UploadSlot, "fill", at_call(at, lose, original))

    report = exported(recording, output, "gpu")

    assert frame_numbers(output) == list(range(FRAMES))
    assert (report.frames, report.path_used) == (FRAMES, "gpu")
    assert len(report.fallbacks) == 1
    assert "planted in slot" in report.fallbacks[0]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["gpu", "cpu"])
def test_lost_device_is_replaced_while_the_upload_thread_waits(
    path: str, recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the decoder, for a free slot, or for a buffer that a closed device never gives back."""
    read = read_frames

    def slowly(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for frame in read(*args, **kwargs):
            time.sleep(0.02)
            yield frame

    monkeypatch.setattr(stage_bodies, "read_frames", slowly)
    losing_devices(monkeypatch, at=AT, times=2)
    started_s = time.monotonic()

    report = exported(recording, output, path)

    assert frame_numbers(output) == list(range(FRAMES))
    assert len(report.fallbacks) == 2
    assert time.monotonic() - started_s < 2 * AT_ONCE_S


@pytest.mark.usefixtures("gpu")
def test_upload_buffer_that_never_comes_back_is_named(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found on the upload thread, raised by the render thread, which waits for it."""
    original_wait = wait_for

    def never(promise: Any, timeout_s: float, what: str, **_: Any) -> None:
        promise.sync_wait()  # the real one is not left pending
        stuck = type("Stuck", (), {"_thread_event": threading.Event()})()
        original_wait(stuck, min(timeout_s, STALL_S), what)

    monkeypatch.setattr(upload_ring, "wait_for", at_call(AT, never, original_wait))
    started_s = time.monotonic()

    with pytest.raises(StallError, match="the GPU stalled: an upload buffer did not finish") as caught:
        export(recording, output, OPTIONS)

    assert caught.value.frame is not None
    assert caught.value.frame >= AT
    assert time.monotonic() - started_s < AT_ONCE_S
    assert list(output.parent.iterdir()) == []


@pytest.mark.usefixtures("gpu")
def test_first_frames_go_up_while_shaders_compile(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled, original_fill, original_factory = threading.Event(), UploadSlot.fill, path_factory

    def fill(slot: Any, frame: Any) -> None:
        original_fill(slot, frame)
        filled.set()

    def patient(name: str) -> Callable[..., Any]:
        def make(*arguments: Any, **options: Any) -> Any:
            assert filled.wait(AT_ONCE_S), "nothing went up before the path was there"
            return original_factory(name)(*arguments, **options)

        return make

    monkeypatch.setattr(UploadSlot, "fill", fill)
    monkeypatch.setattr(render_stage, "path_factory", patient)

    report = exported(recording, output, "gpu")

    assert report.fallbacks == ()
    assert report.stages["upload"].work_s > 0
    assert frame_numbers(output) == list(range(FRAMES))


@pytest.mark.usefixtures("gpu")
def test_device_that_is_lost_twice_at_a_frame_gives_way_to_the_cpu_path(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_devices(monkeypatch, at=0, times=2)

    report = exported(recording, output, "gpu")

    assert frame_numbers(output) == list(range(FRAMES))
    assert (report.path_requested, report.path_used) == ("gpu", "cpu")
    assert "by path cpu" in report.fallbacks[-1]
    assert report.warnings == ()


def exported_to(recording: Path, output: Path, path: str) -> Path:
    export(recording, output, replace(OPTIONS, path=path, encoder=EncoderSettings(qp=0, preset="ultrafast")))
    return output


def chroma(video: Path) -> NDArray[np.int16]:
    """Cb of every frame, shape (frames, rows, columns)."""
    with av.open(str(video)) as container:
        return np.stack([plane_samples(frame.planes[1]).astype(np.int16) for frame in container.decode(video=0)])


@pytest.mark.usefixtures("gpu")
def test_chroma_stays_where_the_tag_says_when_the_cpu_path_takes_over(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag was written with the first frame: left. By itself swscale would site between the columns."""
    by_path = {path: chroma(exported_to(recording, output.with_name(f"{path}.mp4"), path)) for path in ("gpu", "cpu")}
    losing_devices(monkeypatch, at=0, times=2)

    taken_over = chroma(exported_to(recording, output, "gpu"))

    off = {path: float(np.abs(taken_over - own).mean()) for path, own in by_path.items()}
    assert off["gpu"] < off["cpu"]  # not 0: down, swscale weighs four rows and the shader two


@pytest.mark.usefixtures("gpu")
def test_a_path_that_sites_otherwise_on_a_new_device_is_told_of(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are open to others, and the tag of the stream is written."""
    sitings = iter([ChromaSiting.LEFT, ChromaSiting.CENTRE])

    def wayward(name: str) -> Callable[..., Any]:
        def make(*arguments: Any, **options: Any) -> Any:
            path: Any = path_factory(name)(*arguments, **options)
            path.siting = next(sitings)
            return path

        return make

    losing_devices(monkeypatch, at=AT)
    monkeypatch.setattr(render_stage, "path_factory", wayward)

    report = exported(recording, output, "gpu")

    assert len(report.warnings) == 1
    assert "chroma is sited centre, the stream is tagged left" in report.warnings[0]


@pytest.mark.usefixtures("gpu")
def test_devices_that_go_on_being_lost_end_the_export(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_devices(monkeypatch, at=AT, times=100)

    with pytest.raises(DeviceLostError, match="lost at frame") as caught:
        exported(recording, output, "gpu")

    assert caught.value.frame is not None
    assert list(output.parent.iterdir()) == []


def replace_devices(monkeypatch: pytest.MonkeyPatch, opener: Callable[[], Any]) -> None:
    """Let `opener` open the first device of an export, and those that replace it."""
    for module in (first_device, render_stage):
        monkeypatch.setattr(module, "open_device", opener)


@pytest.mark.usefixtures("gpu")
def test_device_that_does_not_come_back_ends_the_export(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_devices(monkeypatch, at=AT)
    opened: list[Any] = []

    def open_once() -> Any:
        if opened:
            raise AdapterError("planted: no adapter any more")
        opened.append(open_device())
        return opened[0]

    replace_devices(monkeypatch, open_once)

    with pytest.raises(DeviceLostError, match=r"device was lost.*planted"):
        exported(recording, output, "gpu")

    assert list(output.parent.iterdir()) == []


def test_machine_without_an_adapter_is_told_so(recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AdapterError("planted: no GPU adapter")

    replace_devices(monkeypatch, refuse)

    with pytest.raises(AdapterError, match="planted") as caught:
        exported(recording, output, "gpu")

    assert caught.value.exit_code == 4
    assert list(output.parent.iterdir()) == []


@pytest.mark.usefixtures("gpu")
def test_path_that_cannot_start_falls_back_and_says_so(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def factory(name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> None:
            raise AdapterError("planted")

        return refuse if name == "gpu" else CpuPath

    monkeypatch.setattr(render_stage, "path_factory", factory)

    report = exported(recording, output, "gpu")

    assert (report.path_requested, report.path_used) == ("gpu", "cpu")
    assert report.fallbacks == ("gpu could not start, used cpu: planted",)
    assert frame_numbers(output) == list(range(FRAMES))


@pytest.mark.usefixtures("gpu")
def test_device_opens_while_the_source_is_probed(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the other to have begun: one after the other they would wait in vain."""
    probing, opening = threading.Event(), threading.Event()

    def open_slowly() -> Any:
        opening.set()
        assert probing.wait(AT_ONCE_S), "the source was not being probed"
        return open_device()

    def prepare_slowly(*arguments: Any) -> Any:
        probing.set()
        assert opening.wait(AT_ONCE_S), "the device was not being opened"
        return prepare(*arguments)

    replace_devices(monkeypatch, open_slowly)
    monkeypatch.setattr(export_module, "prepare", prepare_slowly)

    report = exported(recording, output, "gpu")

    assert report.setup_s is not None
    assert report.time_to_first_frame_s is not None
    assert 0 < report.setup_s <= report.time_to_first_frame_s


@pytest.mark.usefixtures("gpu")
def test_device_that_is_not_needed_any_more_is_closed(
    recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def open_noted() -> Any:
        opened.append(open_device())
        return opened[0]

    closed: list[Any] = []

    def close(device: Any) -> None:
        closed.append(device)

    monkeypatch.setattr(GpuContext, "close", close)
    replace_devices(monkeypatch, open_noted)

    with pytest.raises(InputError):
        export(recording, output.with_suffix(".avi"), OPTIONS)

    assert closed == opened
    assert len(opened) == 1
    opened[0].device.destroy()


def test_no_device_opens_for_what_needs_none(recording: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AdapterError("planted: nobody needs a device here")

    replace_devices(monkeypatch, refuse)

    assert export(recording, output, replace(OPTIONS, path=None)).path_used == "passthrough"
