"""Putting shaders together: each import once, errors that name file and line, and facts typed once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capbench.errors import ShaderError
from capbench.resources import shader_source, shaders_folder

PASSES = sorted(path.stem for path in shaders_folder().glob("*.wgsl"))
SHARED = sorted(path.stem for path in (shaders_folder() / "shared").glob("*.wgsl"))
GENERATED = {"scene_constants": "const ANY = 1u;", "tone_constants": "const SOME = 1u;"}


def files(folder: Path, texts: dict[str, str]) -> Path:
    """A folder of shaders; names without a slash are passes."""
    (folder / "shared").mkdir()
    for name, text in texts.items():
        (folder / f"{name}.wgsl").write_text(text)
    return folder


def test_an_import_stands_where_its_line_stood_and_only_once(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        {
            "pass": "// head\n#import a\n  #import b // again through b\nfn last() {}\n",
            "shared/a": "#import b\nfn a() {}\n",
            "shared/b": "fn b() {}\n",
        },
    )

    source = shader_source("pass", folder=folder)

    assert source.text == "// head\nfn b() {}\nfn a() {}\nfn last() {}\n"
    name = tmp_path.name
    assert [source.origin(line) for line in range(1, 5)] == [
        f"{name}/pass.wgsl:1",
        f"{name}/shared/b.wgsl:1",
        f"{name}/shared/a.wgsl:2",
        f"{name}/pass.wgsl:4",
    ]


def test_generated_text_is_imported_like_a_file(tmp_path: Path) -> None:
    folder = files(tmp_path, {"pass": "#import sizes\n#import sizes\nfn f() {}\n"})

    source = shader_source("pass", {"sizes": "const A = 1;\nconst B = 2u;\n"}, folder=folder)

    assert source.text == "const A = 1;\nconst B = 2u;\nfn f() {}\n"
    assert source.origin(2) == "<sizes>:2"
    assert source.constant("B") == 2


@pytest.mark.parametrize(
    ("texts", "place", "reason"),
    [
        ({"pass": "\n#import nothing\n"}, "pass.wgsl:2", "unknown import 'nothing'; available: given, scene"),
        ({"pass": "#import scene\n", "shared/scene": "\n\n#import other\n"}, "shared/scene.wgsl:3", "unknown import"),
        ({"pass": "#import scene\n", "shared/scene": "#import scene\n"}, "shared/scene.wgsl:1", "scene -> scene"),
        (
            {"pass": "#import scene\n", "shared/scene": "#import b\n", "shared/b": "\n#import scene\n"},
            "shared/b.wgsl:2",
            "circular import: scene -> b -> scene",
        ),
        ({"pass": "#import\n"}, "pass.wgsl:1", "cannot import ''"),
        ({"pass": "#import scene background\n"}, "pass.wgsl:1", "cannot import 'scene background'"),
        ({"pass": "#import ..\n"}, "pass.wgsl:1", "cannot import '..'"),
    ],
    ids=["unknown", "unknown inside", "itself", "circle", "no name", "two names", "a way out"],
)
def test_an_import_that_cannot_be_resolved_names_file_and_line(
    tmp_path: Path, texts: dict[str, str], place: str, reason: str
) -> None:
    folder = files(tmp_path, {"shared/scene": ""} | texts)

    with pytest.raises(ShaderError, match=re.escape(f"{tmp_path.name}/{place}: ")) as raised:
        shader_source("pass", {"given": ""}, folder=folder)

    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_pass_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShaderError, match="shader nothing: cannot read"):
        shader_source("nothing", folder=files(tmp_path, {}))


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_is_whole_and_states_the_workgroups_of_its_entry_points(name: str) -> None:
    source = shader_source(name, GENERATED)
    entry_points = re.findall(r"@compute[^{]*?fn (\w+)\(", source.text)

    assert entry_points[0] == name
    for entry_point in entry_points:
        across, down = source.workgroup_size(entry_point)
        assert 1 <= across * down <= 256, "what every WebGPU device takes (limit maxComputeInvocationsPerWorkgroup)"
    assert "#import" not in source.text


def test_every_shared_file_is_imported_by_a_pass() -> None:
    used = {file for name in PASSES for file, _ in shader_source(name, GENERATED).origins}

    assert {f"shaders/shared/{name}.wgsl" for name in SHARED} <= used


def test_a_fact_that_a_shader_does_not_state_is_an_error(tmp_path: Path) -> None:
    source = shader_source("pass", folder=files(tmp_path, {"pass": "@compute @workgroup_size(N, 1) fn f() {}\n"}))

    with pytest.raises(ShaderError, match="no entry point f with"):
        source.workgroup_size("f")
    with pytest.raises(ShaderError, match="no integer constant N"):
        source.constant("N")
