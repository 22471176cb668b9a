"""VMAF and what else libvmaf measures: which FFmpeg here has it, what it is told, and what it wrote down."""
