"""Tests of `capbench.fleet`."""
