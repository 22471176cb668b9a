"""The verdict: whether new is better than, the same as or worse than base, with the evidence."""

from capbench.gate.compare import compare
from capbench.gate.gate_file import GateFile, GateRule, GateSettings, load_gate_file

__all__ = ["GateFile", "GateRule", "GateSettings", "compare", "load_gate_file"]
