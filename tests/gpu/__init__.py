"""Tests on any GPU adapter, a software one too."""
