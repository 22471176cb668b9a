"""The self-test: the registry is complete, a few specimens of each family are flagged, clean exports are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import capbench
from capbench.cli import app as command_line
from capbench.errors import AdapterError, InputError, PipelineError
from capbench.pipeline.gpu.device import GpuContext
from capbench.quality.validate import validate
from capbench.recordings import RecordingSpec, make_recording
from capbench.resources import shaders_folder
from capbench.results import Check
from capbench.selftest import specimen as specimen_module
from capbench.selftest.conversion_table import compare_conversions
from capbench.selftest.mutation import Replacement, export_by_mutant, mutant_text
from capbench.selftest.negative_controls import CLEAN_EXPORTS, CleanCase, try_clean_exports
from capbench.selftest.run_specimens import run_selftest, try_specimen
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import REGISTRY, Specimen

PACKAGE = Path(capbench.__file__).parent

# The whole self-test takes minutes (`capbench selftest`); these take a second or two each and span the families.
QUICK = (
    "tags-missing",
    "upscaled",
    "half-turn-ignored",
    "rate-rounded",
    "start-offset-dropped",
    "stereo-collapsed",
    "stereo-exchanged",
    "polarity-turned",
    "last-picture-not-held",
    "upside-down-without-edges",
    "depth-lost",
    "file-truncated",
    "tags-disagree",
    "13x-slowdown",
    "silent-cpu-fallback",
    "qp-plus-6",
)
# A drift is too little to be heard in the first second.
LONG = ("audio-drift",)
# Real exports by a changed program.
MUTANTS = ("truncation", "u32-at-byte-offsets", "padding-left-in")


@pytest.fixture
def short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as long as those of the self-test: half of the evidence, and what is flagged by that is flagged by all."""
    monkeypatch.setattr(specimen_module, "CLIP_S", 1.0)


def recording() -> Path:
    """What mutants export."""
    return make_recording(RecordingSpec("selftest-mutant", 640, 360, 30, 1.0))


def test_the_registry_is_complete_and_documented() -> None:
    assert len(REGISTRY) >= 40
    assert len(CLEAN_EXPORTS) == 20
    families = Counter(specimen.family for specimen in REGISTRY.values())
    assert set(families) == {"colour", "layout", "frames", "time", "sound", "file", "performance"}
    assert {specimen.mutates for specimen in REGISTRY.values()} == set(Mutates)
    for specimen in REGISTRY.values():
        assert specimen.caught_by, specimen.name
        assert len(specimen.defect) > 15, specimen.name
        assert bool(specimen.replacements) == (specimen.mutates in (Mutates.SHADER, Mutates.PIPELINE)), specimen.name


@pytest.mark.parametrize(
    "specimen",
    [specimen for specimen in REGISTRY.values() if specimen.replacements],
    ids=lambda specimen: specimen.name,
)
def test_mutants_fit_the_shaders_and_modules_as_they_are(specimen: Specimen) -> None:
    """A shader or a module that changed must not turn a specimen into an export with nothing wrong."""
    texts: dict[str, str] = {}
    for replacement in specimen.replacements:
        folder, _, name = replacement.file.partition("/")
        path = shaders_folder() / name if folder == "shaders" else PACKAGE / replacement.file
        text = texts.get(replacement.file) or path.read_text(encoding="utf-8")
        texts[replacement.file] = mutant_text(text, replacement)

        assert texts[replacement.file] != text


@pytest.mark.parametrize("text", ["nothing of the kind", "round(x) + round(x)"])
def test_text_that_is_not_there_once_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"'round\(x\)' [02] times, and a specimen needs it once"):
        mutant_text(text, Replacement("shaders/any.wgsl", "round(x)", "floor(x)"))


@pytest.mark.usefixtures("gpu")
def test_a_mutant_without_a_change_is_the_export_itself(tmp_path: Path) -> None:
    """The copy runs, and nothing but a replacement makes its export another one."""
    output = tmp_path / "same.mp4"

    report = export_by_mutant((), recording(), output, path="gpu")

    assert report.path_used == "gpu"
    assert validate(recording(), output, with_vmaf=False).passed


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        (Replacement("pipeline/render/renderer.py", "self._gpu.check()", "raise AssertionError('planted')"), "planted"),
        (Replacement("shaders/convert.wgsl", "write_block(id.xy);", "planted(id.xy);"), "no definition in scope"),
    ],
    ids=["fails", "does not compile"],
)
def test_an_export_that_a_mutant_cannot_make_is_an_error(replacement: Replacement, reason: str, tmp_path: Path) -> None:
    """It would prove nothing about the checks."""
    with pytest.raises((PipelineError, InputError), match=reason):
        export_by_mutant((replacement,), recording(), tmp_path / "none.mp4", path="gpu")


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_flagged(name: str, tmp_path: Path) -> None:
    test_specimens_are_flagged(name, tmp_path)


@pytest.mark.usefixtures("short_clips")
@pytest.mark.parametrize("name", QUICK)
def test_specimens_are_flagged_in_a_second(name: str, tmp_path: Path) -> None:
    test_specimens_are_flagged(name, tmp_path)


@pytest.mark.parametrize("name", LONG)
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
    checks = (
        Check.passed(name="colour.meaning", message="as tagged"),
        Check.failed(name="picture.same", message="it is another"),
    )

    def same(_folder: Path) -> Sequence[Check]:
        return checks

    harmless = Specimen("harmless", "colour", "nothing at all", Mutates.CONTENT, ("colour.meaning",), same)
    monkeypatch.setitem(REGISTRY, "harmless", harmless)

    report = run_selftest(["harmless"], clean=())
    result = CliRunner().invoke(command_line.app, ["selftest", "harmless", "--no-clean"])

    assert not report.passed
    assert result.exit_code == 1
    assert "MISSED" in result.stdout


@pytest.mark.parametrize(("unavailable", "code"), [(True, 4), (False, 1)])
def test_what_could_not_be_tried_is_no_success(unavailable: bool, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an adapter the machine is at fault (4), and a mutant that fails is the specimen's own fault (1)."""

    def prepare(_folder: Path) -> None:
        if unavailable:
            raise AdapterError("no GPU adapter")
        raise PipelineError("it broke", stage="export")

    broken = replace(REGISTRY["tags-missing"], name="broken", prepare=prepare)
    monkeypatch.setitem(REGISTRY, "broken", broken)
    flagged = replace(
        REGISTRY["tags-missing"], judge=lambda _folder: (Check.failed(name="tags.present", message="none"),)
    )
    monkeypatch.setitem(REGISTRY, "tags-missing", flagged)

    result = CliRunner().invoke(command_line.app, ["selftest", "broken", "tags-missing", "--no-clean"])

    assert result.exit_code == code
    assert re.search(r"NOT RUN +broken", result.stdout)
    assert re.search(r"1 of 2 specimens flagged \(2 muxing\), 1 could not", result.stdout)


@pytest.mark.usefixtures("short_clips")
def test_a_check_that_tells_of_another_defect_does_not_count(tmp_path: Path) -> None:
    """One check knows several mistakes, and a specimen is flagged only by the sentence about its own."""
    checks = REGISTRY["range-tag-wrong"].judge(tmp_path)
    tagged_wrongly = replace(REGISTRY["range-tag-wrong"], judge=lambda _folder: checks)
    other = replace(tagged_wrongly, says="pixels are BT.601 but tagged BT.709")

    assert try_specimen(tagged_wrongly, tmp_path).flagged
    assert not try_specimen(other, tmp_path).flagged


def test_an_unknown_specimen_is_refused() -> None:
    with pytest.raises(InputError, match="unknown specimen 'nonsense'"):
        run_selftest(["nonsense"])


def test_the_conversion_table_has_every_colour_by_both_converters(gpu: GpuContext) -> None:
    rows = list(compare_conversions(gpu))

    assert len({(row.path, row.matrix, row.range, row.siting) for row in rows}) == 2 * 3 * 2 * 2
    for row in rows:
        if row.path == "gpu":  # what the design demands of it; swscale is held to nothing
            assert row.largest_error_codes <= 1
            assert row.share_exact >= 0.999
            assert max(map(abs, row.bias_codes)) < 0.01
