"""The verdict: whether new is better, the same or worse than base, and whether that is shown."""

from capbench.gate.compare import compare
from capbench.gate.gate_file import GateFile, GateRule, GateSettings, load_gate_file

__all__ = ["GateFile", "GateRule", "GateSettings", "compare", "load_gate_file"]
