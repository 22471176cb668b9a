"""Tests without a GPU adapter, one folder a package."""
