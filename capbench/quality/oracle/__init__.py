"""The expected pictures, in float64 NumPy written from the standards; shares no arithmetic with the pipeline."""

from capbench.quality.oracle.agreement import ConversionAgreement, PlaneAgreement, compare_planes
from capbench.quality.oracle.reference_nv12 import nv12_to_rgb, rgb_to_nv12

__all__ = ["ConversionAgreement", "PlaneAgreement", "compare_planes", "nv12_to_rgb", "rgb_to_nv12"]
