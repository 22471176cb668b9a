"""What WGSL's compiler refuses is named by the file and line that somebody wrote, not by a line of the joined text."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import ShaderError
from capbench.pipeline.gpu.compute_pass import ComputePass
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import shader_source

PASS = "#import shared_part\n@compute @workgroup_size(1, 1)\nfn main() { let x = shared_part(); }\n"


def compiled(gpu: GpuContext, folder: Path, shared: str, main: str = PASS) -> ComputePass:
    (folder / "shared").mkdir()
    (folder / "shared" / "shared_part.wgsl").write_text(shared)
    (folder / "main.wgsl").write_text(main)
    made = ComputePass(gpu, shader_source("main", folder=folder), "main", [])
    gpu.finish_compiling()
    return made


@pytest.mark.parametrize(
    ("shared", "main", "place"),
    [
        ("// one\n// two\nfn shared_part() -> u32 { return planted; }\n", PASS, "shared/shared_part.wgsl:3:34"),
        ("fn shared_part() -> u32 { return 1.5; }\n", PASS, "shared/shared_part.wgsl:1:34"),
        ("fn shared_part() -> u32 { return 1u; }\n", PASS.replace("{ let", "{ planted(); let"), "main.wgsl:3:13"),
    ],
    ids=["unknown name", "wrong type", "in the pass itself"],
)
def test_a_compiler_error_names_the_file_that_was_written(
    gpu: GpuContext, tmp_path: Path, shared: str, main: str, place: str
) -> None:
    with pytest.raises(ShaderError) as raised:
        compiled(gpu, tmp_path, shared, main)

    assert str(raised.value).startswith(f"{tmp_path.name}/{place}: ")
    assert "\n" not in str(raised.value)


def test_an_error_without_a_place_names_shader_and_entry_point(gpu: GpuContext, tmp_path: Path) -> None:
    """A constant that is missing is nobody's line."""
    used = "override missing: u32;\nfn shared_part() -> u32 { return missing; }\n"

    with pytest.raises(ShaderError, match=r"shader main, entry point main: .*missing"):
        compiled(gpu, tmp_path, used)


def test_the_same_shader_without_the_mistake_compiles(gpu: GpuContext, tmp_path: Path) -> None:
    compiled(gpu, tmp_path, "fn shared_part() -> u32 { return 1u; }\n")


def test_shaders_compile_side_by_side(gpu: GpuContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other to have begun: one after the other they would wait in vain."""
    both, create = threading.Barrier(2), type(gpu.device).create_compute_pipeline

    def create_slowly(device: Any, **options: Any) -> Any:
        both.wait(gpu.timeout_s)
        return create(device, **options)

    monkeypatch.setattr(type(gpu.device), "create_compute_pipeline", create_slowly)
    (tmp_path / "main.wgsl").write_text("@compute @workgroup_size(1, 1)\nfn main() { }\n")

    for _ in range(2):
        ComputePass(gpu, shader_source("main", folder=tmp_path), "main", [])

    gpu.finish_compiling()


def test_a_pass_that_does_not_compile_cannot_be_recorded(gpu: GpuContext, tmp_path: Path) -> None:
    (tmp_path / "main.wgsl").write_text("@compute @workgroup_size(1, 1)\nfn main() { planted(); }\n")
    made = ComputePass(gpu, shader_source("main", folder=tmp_path), "main", [])

    with pytest.raises(ShaderError, match="planted"):
        made.record(gpu.device.create_command_encoder(), 1, 1)
    with pytest.raises(ShaderError, match="planted"):
        gpu.finish_compiling()
    gpu.finish_compiling()
