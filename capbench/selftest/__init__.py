"""Planted defects, and whether validation notices them and keeps quiet about clean exports.

The checks themselves live in `quality`.
"""
