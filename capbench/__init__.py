"""Benchmark and validation harness for video export pipelines."""
