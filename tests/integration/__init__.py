"""Tests with real clips and whole runs."""
