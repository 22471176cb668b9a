"""Tests of capbench/bitstream/."""
