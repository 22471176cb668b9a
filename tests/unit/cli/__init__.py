"""Tests of capbench/cli/."""
