"""Pairs of pictures measured in parts, each by another process or machine, to the figures of one piece."""
