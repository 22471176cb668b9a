"""Benchmark and validation harness for video export pipelines.

Every name of `__all__` is loaded when it is first used: `import capbench` alone loads nothing, since it is what the
command line does before it can handle a signal.
"""

TYPE_CHECKING = False
"""As type checkers know it. To import `typing` for it takes longer than all the rest."""

if TYPE_CHECKING:
    from capbench import errors
    from capbench.errors import CapbenchError
    from capbench.gate.compare_targets import compare
    from capbench.gate.gate_file import GateFile
    from capbench.harness.run.start import RunOptions, run
    from capbench.pipeline.encode.encoders import EncoderSettings
    from capbench.pipeline.export import export
    from capbench.pipeline.job import ExportOptions
    from capbench.quality.validate import validate
    from capbench.results import Comparison, ExportReport, RunResult, ValidationReport, Verdict
    from capbench.results.folder import FolderContents
    from capbench.results.tidy_table import load

__all__ = [
    "CapbenchError",
    "Comparison",
    "EncoderSettings",
    "ExportOptions",
    "ExportReport",
    "FolderContents",
    "GateFile",
    "RunOptions",
    "RunResult",
    "ValidationReport",
    "Verdict",
    "__version__",
    "compare",
    "errors",
    "export",
    "load",
    "run",
    "validate",
]

_HOMES = {
    "CapbenchError": "capbench.errors",
    "Comparison": "capbench.results",
    "EncoderSettings": "capbench.pipeline.encode.encoders",
    "ExportOptions": "capbench.pipeline.job",
    "ExportReport": "capbench.results",
    "FolderContents": "capbench.results.folder",
    "GateFile": "capbench.gate.gate_file",
    "RunOptions": "capbench.harness.run.start",
    "RunResult": "capbench.results",
    "ValidationReport": "capbench.results",
    "Verdict": "capbench.results",
    "compare": "capbench.gate.compare_targets",
    "export": "capbench.pipeline.export",
    "load": "capbench.results.tidy_table",
    "run": "capbench.harness.run.start",
    "validate": "capbench.quality.validate",
}
"""Public name to the module that defines it."""

__version__: str

if not TYPE_CHECKING:  # a type checker reads the imports above, and then knows a name that is misspelt

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "errors":
            return import_module("capbench.errors")
        if name == "__version__":
            from capbench.installation import version_of  # takes longer than all the rest

            return version_of("capbench")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
