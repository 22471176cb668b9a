"""Tests of capbench/gate/."""
