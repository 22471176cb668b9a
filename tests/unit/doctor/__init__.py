"""Tests of capbench/doctor/."""
