"""Where shaders and matrices lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["matrix_folder", "shader_text", "shaders_folder"]

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def shaders_folder() -> Path:
    """Folder of the `.wgsl` files."""
    return _folder("shaders")


def matrix_folder() -> Path:
    """Folder of the shipped matrix, scene and gate files."""
    return _folder("matrix")


def shader_text(*names: str) -> str:
    """The named `.wgsl` files joined in order: WGSL has no include, so shared functions come first."""
    return "\n".join((shaders_folder() / f"{name}.wgsl").read_text(encoding="utf-8") for name in names)
