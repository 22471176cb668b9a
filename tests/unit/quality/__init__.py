"""Tests of capbench/quality/."""
