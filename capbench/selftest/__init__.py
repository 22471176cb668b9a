"""Injected defects: whether validation flags each one, and raises no alarm on clean exports.

The checks themselves live in `quality`.
"""
