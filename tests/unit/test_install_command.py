"""What a remedy says to install: the packages of an extra, into the environment that runs, by what installs there."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError

import pytest

from capbench import installation
from capbench.installation import UNINSTALLED, install_command, version_of

_METADATA = [
    "numpy>=2.1",
    "nvidia-ml-py>=12.560; extra == 'nvml'",
    'pyarrow>=18.0 ; python_version >= "3.11" and extra == "parquet"',
]


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "requires", lambda _name: _METADATA)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())


@pytest.mark.usefixtures("_installed")
class TestInstalled:
    """By the metadata of this installation."""

    @pytest.mark.parametrize(("extra", "package"), [("nvml", "'nvidia-ml-py>=12.560'"), ("parquet", "'pyarrow>=18.0'")])
    def test_pip_of_this_interpreter(self, extra: str, package: str) -> None:
        assert install_command(extra) == f"{sys.executable} -m pip install {package}"

    def test_an_environment_of_pipx_is_added_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "prefix", "/home/someone/.local/share/pipx/venvs/capbench")

        assert install_command("parquet") == "pipx inject capbench 'pyarrow>=18.0'"

    def test_an_environment_without_pip_is_filled_by_uv(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

        assert install_command("parquet") == f"uv pip install --python {sys.executable} 'pyarrow>=18.0'"


def test_a_checkout_that_was_never_installed_knows_its_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", nowhere)

    assert install_command("nvml").endswith("install nvidia-ml-py")


def test_a_copy_that_was_never_installed_has_a_version_too() -> None:
    assert version_of("a-package-that-nobody-has") == UNINSTALLED
    assert version_of("pytest") == pytest.__version__
