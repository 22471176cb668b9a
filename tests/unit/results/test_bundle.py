"""Bundles: nothing private in them, the same bytes each time, and whatever is wrong with one is said in one line."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import ResultError
from capbench.results import RunResult
from capbench.results.bundle.anonymous_records import PrivateNames, anonymous_results
from capbench.results.bundle.bundle_file import MAX_BUNDLE_BYTES, read_bundle, write_bundle
from capbench.results.environment import Environment
from capbench.results.folder import FolderContents, read_folder
from tests.fleet_simulator import LAB, ONE_CASE, write_fleet_folder
from tests.report_simulator import Simulation, write_simulated_folder

_FAST = Simulation(cases=ONE_CASE, blocks=3, trace_samples=4, picture_size=None)
_PRIVATE = PrivateNames(("annemarie", "studio-box"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder of one machine."""
    return write_simulated_folder(tmp_path_factory.mktemp("results") / "annemarie", _FAST)


@pytest.fixture
def bundle(folder: Path, tmp_path: Path) -> Path:
    """Its bundle."""
    plan = json.loads((folder / "matrix.json").read_text())
    target = tmp_path / "machine.capbench"
    write_bundle(anonymous_results(read_folder(folder), plan, _PRIVATE), target)
    return target


def _invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_bundle_holds_every_run_and_its_figures(folder: Path, bundle: Path) -> None:
    runs, contents = read_folder(folder).runs, read_bundle(bundle)

    assert len(contents.runs.runs) == len(runs)
    assert sorted(run.wall_s or 0 for run in contents.runs.runs) == sorted(run.wall_s or 0 for run in runs)
    assert contents.machines.machines["machine-1"].cpu_model == "AMD Ryzen 9 7950X"


def test_the_same_results_make_the_same_file(folder: Path, tmp_path: Path) -> None:
    hashes = set()
    for name in ("a", "b"):
        assert _invoke("bundle", folder, "-o", tmp_path / f"{name}.capbench").exit_code == 0
        hashes.add(hashlib.sha256((tmp_path / f"{name}.capbench").read_bytes()).hexdigest())

    assert len(hashes) == 1


def _with_secrets() -> FolderContents:
    """One run in which every field that takes text holds a name, an address or a path."""
    secret = "/home/annemarie/clip.mp4 on studio-box, annemarie@example.org, serial 4C530001"
    run = RunResult(
        case="1080p",
        subject="gpu",
        block=0,
        wall_s=2.0,
        command=("capbench", secret),
        started_at="2026-03-02T09:14:05Z",
        fingerprint="abcdef",
        adapter=secret,
        warnings=(secret,),
        fallbacks=(secret,),
        unmeasured={"cpu_s": secret},
        telemetry={"nvml.0.uuid": secret, "nvml.0.power_w": 31.5},
        error=None,
    )
    machine = Environment(
        cpu_model="Ryzen of annemarie",
        driver="by ann@example.org",
        os="Debian GNU/Linux 13 (studio-box)",
        kernel=secret,
        governor="powersave",
    )
    return FolderContents(Path("/home/annemarie/results"), (run,), (), machine, ())


def test_nothing_private_is_in_a_bundle(tmp_path: Path) -> None:
    plan: dict[str, object] = {
        "command": ["capbench", "/home/annemarie"],
        "matrix": {
            "cases": [{"name": "1080p", "source": "/home/annemarie/clip.mp4", "scene": "/home/annemarie/a.toml"}]
        },
    }
    target = tmp_path / "machine.capbench"
    write_bundle(anonymous_results(_with_secrets(), plan, _PRIVATE), target)
    text = target.read_bytes().decode("utf-8", "replace").lower()

    for private in (
        "annemarie",
        "studio-box",
        "example.org",
        "4c530001",
        "/home",
        "clip.mp4",
        "09:14",
        "abcdef",
        "uuid",
    ):
        assert private not in text
    assert read_bundle(target).machines.machines["machine-1"].cpu_model == "Ryzen of redacted"
    assert read_bundle(target).runs.runs[0].fell_back


@pytest.mark.parametrize("name", ["gpu-annemarie", "ANNEMARIE", "a@b.org", "home/clip", "c:\\clip"])
def test_a_private_name_of_a_subject_is_refused(name: str) -> None:
    contents = _with_secrets()
    run = contents.runs[0].model_copy(update={"subject": name})

    with pytest.raises(ResultError, match="rename it in the matrix file"):
        anonymous_results(replace(contents, runs=(run,)), {}, _PRIVATE)


def test_names_of_this_machine_are_known() -> None:
    words = PrivateNames.of_this_machine().words

    assert all(len(word) >= 3 for word in words)
    assert platform.node() in words or len(platform.node()) < 3 or platform.node() == "localhost"
    assert getpass.getuser() in words or getpass.getuser() in {"root", "runner", "ubuntu", "user", "admin"}


def test_machines_of_a_fleet_are_numbered(tmp_path: Path) -> None:
    folder = write_fleet_folder(tmp_path / "fleet", LAB[:3], _FAST)
    assert _invoke("bundle", folder, "-o", tmp_path / "fleet.capbench").exit_code == 0

    contents = read_bundle(tmp_path / "fleet.capbench")

    assert set(contents.machines.machines) == {"machine-1", "machine-2", "machine-3"}
    assert b"studio-1" not in (tmp_path / "fleet.capbench").read_bytes()
    assert b"berlin" not in (tmp_path / "fleet.capbench").read_bytes()


def test_what_is_in_it_is_printed(folder: Path, tmp_path: Path) -> None:
    ended = _invoke("bundle", folder, "-o", tmp_path / "m.capbench")

    assert ended.exit_code == 0
    for word in ("4k-1min", "gpu", "AMD Ryzen 9 7950X", "wall_s", "runs.json", "not in it: commands, paths"):
        assert word in ended.stdout


def test_a_bundle_in_order_passes_the_check(bundle: Path) -> None:
    ended = _invoke("bundle", "--check", bundle)

    assert ended.exit_code == 0
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in ended.stdout


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack(path: Path, members: dict[str, bytes], *, deflate: bool = False, rehash: bool = True) -> None:
    """A bundle of these members, with a manifest that agrees where `rehash`."""
    if rehash:
        manifest = json.loads(members["manifest.json"])
        for name in manifest["files"]:
            data = members[name]
            manifest["files"][name] = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        members = members | {"manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _edit_run(members: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    runs = json.loads(members["runs.json"])
    runs["runs"][0] |= changes
    return members | {"runs.json": json.dumps(runs).encode()}


def _edited(path: Path) -> None:
    _pack(path, _edit_run(_members(path), wall_s=0.001), rehash=False)


def _newer(path: Path) -> None:
    members = _members(path)
    manifest = json.loads(members["manifest.json"]) | {"schema_version": 2, "signature": "x"}
    _pack(path, members | {"manifest.json": json.dumps(manifest).encode()}, rehash=False)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(bytes(data))


def _bomb(path: Path) -> None:
    _pack(path, _members(path) | {"runs.json": b'{"runs":[' + b" " * 20_000_000 + b"]}"}, deflate=True)


def _lying_size(path: Path) -> None:
    """A member that says it has 100 bytes and unpacks to more."""
    _pack(path, _members(path), deflate=True)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset : at + offset + 4] = struct.pack("<L", 100)
    path.write_bytes(bytes(data))


def _huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)


def _many_members(path: Path) -> None:
    _pack(path, _members(path) | {f"runs/{n}.json": b"{}" for n in range(3000)})


def _slip(path: Path) -> None:
    members = _members(path)
    _pack(
        path, {"../../runs.json" if name == "runs.json" else name: data for name, data in members.items()}, rehash=False
    )


def _twice(path: Path) -> None:
    """Under its own name the last member would be a second runs.json: zipfile warns of it, so it is renamed after."""
    members = _members(path)
    members["runs.jsoN"] = members.pop("cases.json")
    _pack(path, members, rehash=False)
    path.write_bytes(path.read_bytes().replace(b"runs.jsoN", b"runs.json"))


def _no_manifest(path: Path) -> None:
    members = _members(path)
    del members["manifest.json"]
    _pack(path, members, rehash=False)


def _other_zip(path: Path) -> None:
    _pack(path, {"manifest.json": b'{"name": "an extension of a browser"}'}, rehash=False)


def _nested(path: Path) -> None:
    _pack(path, _members(path) | {"cases.json": b"[" * 100_000 + b"]" * 100_000})


def _of_runs(**changes: object) -> Callable[[Path], None]:
    return lambda path: _pack(path, _edit_run(_members(path), **changes))


def _doubled_run(path: Path) -> None:
    members = _members(path)
    runs = json.loads(members["runs.json"])
    runs["runs"].append(runs["runs"][0])
    _pack(path, members | {"runs.json": json.dumps(runs).encode()})


_WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (_edited, "its hash is not the one in the manifest"),
    "newer": (_newer, "use a newer capbench"),
    "truncated": (_truncated, "truncated"),
    "one bit": (_flipped, ""),
    "bomb": (_bomb, "compressed"),
    "lying size": (_lying_size, ""),
    "huge": (_huge, "bytes, the limit"),
    "many members": (_many_members, "members instead of 4"),
    "zip slip": (_slip, "no part of a bundle"),
    "a member twice": (_twice, "twice"),
    "no manifest": (_no_manifest, "no manifest.json"),
    "another zip file": (_other_zip, "not a bundle"),
    "text": (lambda path: path.write_text("hello"), "no zip archive"),
    "empty": (lambda path: path.write_bytes(b""), "no zip archive"),
    "nested": (_nested, "nested too deeply"),
    "negative time": (_of_runs(wall_s=-1.0), "runs.json: runs.0.wall_s"),
    "endless time": (_of_runs(wall_s=1e300), "runs.json: runs.0.wall_s"),
    "no number": (_of_runs(wall_s=float("nan")), "runs.json: runs.0.wall_s"),
    "long integer": (_of_runs(output_bytes=2**70), "integer of 71 bits"),
    "unlisted field": (_of_runs(command="/home/ann"), "runs.json: runs.0.command"),
    "a path in a name": (_of_runs(subject="/home/ann"), "runs.json: runs.0.subject"),
    "a machine with a name": (_of_runs(machine="anns-laptop"), "runs.json: runs.0.machine"),
    "unknown machine": (_of_runs(machine="machine-9"), "not among its machines"),
    "unknown case": (_of_runs(case="8k"), "not among its cases"),
    "a run twice": (_doubled_run, "two runs of block"),
}


@pytest.mark.parametrize("kind", list(_WRONG))
def test_what_is_no_bundle_is_refused_in_one_line(kind: str, bundle: Path) -> None:
    spoil, message = _WRONG[kind]
    spoil(bundle)

    with pytest.raises(ResultError) as caught:
        read_bundle(bundle)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("kind", ["edited", "newer", "bomb", "text"])
def test_the_check_ends_with_2(kind: str, bundle: Path) -> None:
    _WRONG[kind][0](bundle)

    ended = _invoke("bundle", "--check", bundle)

    assert ended.exit_code == 2
    assert ended.stdout == ""


def test_a_bundle_that_somebody_packed_again_is_still_one(bundle: Path) -> None:
    _pack(bundle, _members(bundle), deflate=True)

    assert read_bundle(bundle).runs.runs


@pytest.mark.parametrize("arguments", [[], ["DIR", "--check", "FILE"]])
def test_a_folder_or_a_bundle_must_be_named(arguments: list[str]) -> None:
    assert _invoke("bundle", *arguments).exit_code == 2


def test_a_folder_without_runs_has_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "empty" / "runs").mkdir(parents=True)

    assert _invoke("bundle", tmp_path / "empty", "-o", tmp_path / "x.capbench").exit_code == 2
    assert not (tmp_path / "x.capbench").exists()


def test_runs_that_contradict_each_other_are_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    """Two runs of one block, as of a file that was copied by hand: nobody could read such a bundle."""
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    run = min((copied / "runs").glob("*.json"))
    shutil.copy(run, run.with_name(f"again-{run.name}"))

    answer = _invoke("bundle", copied, "-o", tmp_path / "x.capbench")

    assert answer.exit_code == 2
    assert "two runs of block" in answer.stderr
    assert not (tmp_path / "x.capbench").exists()
