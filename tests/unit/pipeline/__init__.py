"""Tests of capbench/pipeline/."""
