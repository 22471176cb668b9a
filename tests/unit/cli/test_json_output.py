"""Where `--json` puts its record."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from capbench.cli.app import write_json
from capbench.errors import OutputError


class _Sample(BaseModel):
    name: str = "größe"


def test_a_dash_prints_the_record_alone(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_json(_Sample(), "-")

    assert capfdbinary.readouterr().out == '{\n  "name": "größe"\n}\n'.encode()


def test_a_file_holds_the_record_and_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(_Sample(), str(tmp_path / "out.json"))

    assert _Sample.model_validate_json((tmp_path / "out.json").read_bytes()) == _Sample()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["absent/out.json", "folder"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(OutputError, match=name):
        write_json(_Sample(), str(tmp_path / name))

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
