"""Tests of capbench/report/."""
