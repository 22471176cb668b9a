"""Tests of capbench/results/."""
