"""The self-test: the registry is complete, a few specimens of each family are flagged, clean exports are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.errors import InputError
from capbench.selftest.clean import CLEAN_EXPORTS, CleanCase, try_clean_exports
from capbench.selftest.selftest import run_selftest, try_specimen
from capbench.selftest.specimen import REGISTRY, FileSpecimen, Pair

# The whole self-test takes minutes (`capbench selftest`); these take a second each and span the families.
QUICK = (
    "wrong-matrix",
    "tags-missing",
    "truncation",
    "siting",
    "banding",
    "u32-at-byte-offsets",
    "odd-chroma-row",
    "upscaled",
    "half-turn-ignored",
    "stale-buffer",
    "tearing",
    "zeroed-nv12",
    "rate-rounded",
    "start-offset-dropped",
    "audio-drift",
    "stereo-collapsed",
    "file-truncated",
    "tags-disagree",
    "13x-slowdown",
    "silent-cpu-fallback",
    "qp-plus-6",
)


def test_the_registry_is_complete_and_documented() -> None:
    assert len(REGISTRY) >= 40
    assert len(CLEAN_EXPORTS) == 20
    families = Counter(specimen.family for specimen in REGISTRY.values())
    assert set(families) == {"colour", "layout", "frames", "time", "sound", "file", "performance"}
    for specimen in REGISTRY.values():
        assert specimen.caught_by, specimen.name
        assert len(specimen.defect) > 15, specimen.name


@pytest.mark.parametrize("name", QUICK)
def test_specimens_are_flagged(name: str, tmp_path: Path) -> None:
    outcome = try_specimen(REGISTRY[name], tmp_path)

    assert outcome.flagged, outcome
    assert outcome.check in REGISTRY[name].caught_by
    assert outcome.sentence


@pytest.mark.parametrize(
    "case",
    [
        CleanCase("bare", "gpu", 480, 270, crf=24),
        CleanCase("studio", "cpu", 640, 360),
        CleanCase("everything", "gpu", 640, 360),
    ],
    ids=lambda case: case.name,
)
@pytest.mark.usefixtures("gpu")
def test_clean_exports_raise_no_alarm(case: CleanCase, tmp_path: Path) -> None:
    (outcome,) = try_clean_exports(tmp_path, (case,))

    assert outcome.error is None
    assert outcome.alarms == ()


def test_a_specimen_that_nothing_flags_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test itself must be able to fail."""

    def same(_folder: Path) -> Pair:
        source = REGISTRY["tags-missing"]
        assert isinstance(source, FileSpecimen)
        pair = source.make(_folder)
        return Pair(pair.reference, pair.reference)

    harmless = FileSpecimen("harmless", "colour", "nothing at all", ("colour.meaning",), same)
    monkeypatch.setitem(REGISTRY, "harmless", harmless)

    report = run_selftest(["harmless"], clean=())
    result = CliRunner().invoke(command_line.app, ["selftest", "harmless", "--no-clean"])

    assert not report.passed
    assert result.exit_code == 1
    assert "MISSED" in result.stdout


def test_an_unknown_specimen_is_refused() -> None:
    with pytest.raises(InputError, match="no specimen is called 'nonsense'"):
        run_selftest(["nonsense"])
