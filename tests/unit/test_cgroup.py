"""Limits of control groups: the tightest of this process's groups and of those above counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.cgroup import cpu_limit_cores, memory_free_bytes, memory_limit_bytes


def _write_group(folder: Path, limit: str, used: int = 0, cache: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon {used - cache}\ninactive_file {cache}\n")


@pytest.mark.parametrize(
    ("groups", "limit", "free"),
    [
        pytest.param({"": ("max", 0, 0)}, None, None, id="no-limit"),
        pytest.param({"": ("1000", 300, 0)}, 1000, 700, id="container"),
        pytest.param({"": ("1000", 300, 100)}, 1000, 800, id="file-cache-is-free"),
        pytest.param({"a/b": ("1000", 300, 0)}, 1000, 700, id="own-group"),
        pytest.param({"a": ("500", 450, 0), "a/b": ("1000", 300, 0)}, 500, 50, id="group-above-binds"),
        pytest.param({"a/b": ("1000", 1200, 0)}, 1000, 0, id="over-the-limit"),
        pytest.param({"other": ("10", 0, 0)}, None, None, id="not-ours"),
    ],
)
def test_control_groups(
    groups: dict[str, tuple[str, int, int]], limit: int | None, free: int | None, tmp_path: Path
) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/a/b\n")
    for name, values in groups.items():
        _write_group(tmp_path / "cgroup" / name, *values)

    assert memory_limit_bytes(tmp_path / "cgroup", membership) == limit
    assert memory_free_bytes(tmp_path / "cgroup", membership) == free


def test_first_version_of_control_groups(tmp_path: Path) -> None:
    membership, folder = tmp_path / "membership", tmp_path / "cgroup" / "memory" / "a"
    membership.write_text("9:name=systemd:/\n7:memory:/a\n")
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("1000\n")
    (folder / "memory.usage_in_bytes").write_text("300\n")
    (folder / "memory.stat").write_text("cache 100\ntotal_inactive_file 100\n")
    (tmp_path / "cgroup" / "memory" / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")

    assert memory_limit_bytes(tmp_path / "cgroup", membership) == 1000
    assert memory_free_bytes(tmp_path / "cgroup", membership) == 800


def test_machine_without_control_groups(tmp_path: Path) -> None:
    assert memory_free_bytes(tmp_path / "cgroup", tmp_path / "membership") is None


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/a/b\n", {"cpu.max": "max 100000"}, None),
        ("0::/a/b\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "150000 100000"}, 0.5),
        ("0::/a/b\n", {"c/cpu.max": "50000 100000"}, None),
        (
            "3:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "50000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
    ],
)
def test_a_quota_of_processor_time(tmp_path: Path, membership: str, files: dict[str, str], cores: float | None) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(f"{text}\n")

    assert cpu_limit_cores(tmp_path / "cgroup", tmp_path / "membership") == cores
