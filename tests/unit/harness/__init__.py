"""Tests of capbench/harness/."""
