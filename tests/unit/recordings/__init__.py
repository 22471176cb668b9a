"""Tests of capbench/recordings/."""
