"""The metrics that capbench measures itself or through FFmpeg and libvmaf: the only table of them."""

from __future__ import annotations

import math

from capbench.results.metric_registry.quality_metric import Direction, MeasuredFrames, MetricMargins, QualityMetric

__all__ = ["BUILT_IN_METRICS", "PSNR_CEILING_DB"]

PSNR_CEILING_DB = 100.0
"""What identical planes get: the true value is infinite and no mean over frames would survive it."""

_YCBCR = ("y", "cb", "cr")
_FFMPEG = "PyAV's FFmpeg"
_LIBVMAF = "libvmaf"
_LIBVMAF_PACKAGE = "imageio-ffmpeg"

# Half a code of bias costs 0.16 dB at 40 dB: the margin must lie below a truncating conversion.
_PSNR_MARGINS = MetricMargins(mean=0.1, p1=0.5)
# Viewers tell clips of one content apart from about 6 points on (Ozer, "just noticeable difference"): a twelfth of it.
# x264 with another number of threads moves it by 0.1 at CRF 20: what is smaller is no finding (docs/gate.md).
_VMAF_MARGINS = MetricMargins(mean=0.5)

BUILT_IN_METRICS: tuple[QualityMetric, ...] = (
    QualityMetric(
        name="psnr",
        label="PSNR",
        unit="dB",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, PSNR_CEILING_DB),
        planes=_YCBCR,
        margins=_PSNR_MARGINS,
        source="10 log10(peak^2 / MSE), ITU-T J.340",
        computed_by="capbench",
        cost_cpu_ms=2.0,
        is_default=True,
    ),
    QualityMetric(
        name="ssim",
        label="SSIM",
        direction=Direction.HIGHER,
        range=(-1.0, 1.0),
        planes=_YCBCR,
        margins=MetricMargins(mean=0.001, p1=0.005),
        frames=MeasuredFrames.SAMPLED,
        source="Wang, Bovik, Sheikh, Simoncelli 2004: window of sigma 1.5",
        computed_by="capbench",
        cost_cpu_ms=140.0,
        is_default=True,
    ),
    QualityMetric(
        name="ffmpeg_psnr",
        label="FFmpeg PSNR",
        unit="dB",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, PSNR_CEILING_DB),
        planes=_YCBCR,
        margins=_PSNR_MARGINS,
        source="FFmpeg's filter psnr",
        computed_by=_FFMPEG,
        cost_cpu_ms=0.7,
        is_default=True,
        is_main=False,
    ),
    QualityMetric(
        name="ffmpeg_ssim",
        label="FFmpeg SSIM",
        direction=Direction.HIGHER,
        range=(-1.0, 1.0),
        planes=_YCBCR,
        source="FFmpeg's filter ssim: blocks of 8x8 samples in place of the paper's window",
        computed_by=_FFMPEG,
        cost_cpu_ms=1.2,
        is_default=True,
        is_main=False,
    ),
    QualityMetric(
        name="xpsnr",
        label="XPSNR",
        unit="dB",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, PSNR_CEILING_DB),
        planes=_YCBCR,
        margins=_PSNR_MARGINS,
        source="Helmrich, Bosse, Siekmann, Schwarz, Marpe, Wiegand 2020",
        computed_by=_FFMPEG,
        cost_cpu_ms=11.0,
        is_default=True,
    ),
    QualityMetric(
        name="vmaf",
        label="VMAF",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, 100.0),
        margins=_VMAF_MARGINS,
        source="Netflix, model vmaf_v0.6.1, from 2160 lines up vmaf_4k_v0.6.1",
        computed_by=_LIBVMAF,
        cost_cpu_ms=44.0,
        is_default=True,
        package=_LIBVMAF_PACKAGE,
    ),
    QualityMetric(
        name="vmaf_neg",
        label="VMAF NEG",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, 100.0),
        margins=_VMAF_MARGINS,
        source="Netflix, VMAF without gain from enhancement, models vmaf_v0.6.1neg and vmaf_4k_v0.6.1neg",
        computed_by=_LIBVMAF,
        cost_cpu_ms=45.0,
        is_default=True,
        is_main=False,
        package=_LIBVMAF_PACKAGE,
    ),
    QualityMetric(
        name="cambi",
        label="CAMBI",
        decimals=2,
        direction=Direction.LOWER,
        # 24 is the most that its authors observed (resource/doc/cambi.md), which is no bound.
        range=(0.0, math.inf),
        # A tenth of the 5 points at which banding begins to annoy (resource/doc/cambi.md).
        margins=MetricMargins(mean=0.5),
        source="Tandon, Afonso, Sole, Krasula 2021: banding of the output alone",
        computed_by=_LIBVMAF,
        cost_cpu_ms=40.0,
        package=_LIBVMAF_PACKAGE,
    ),
    QualityMetric(
        name="psnr_hvs",
        label="PSNR-HVS",
        unit="dB",
        decimals=2,
        direction=Direction.HIGHER,
        range=(0.0, PSNR_CEILING_DB),
        margins=_PSNR_MARGINS,
        source="Ponomarenko et al. 2007, PSNR-HVS-M, as Xiph's Daala has it; Y, Cb and Cr together",
        computed_by=_LIBVMAF,
        cost_cpu_ms=53.0,
        package=_LIBVMAF_PACKAGE,
    ),
)
"""In the order in which reports list them."""
