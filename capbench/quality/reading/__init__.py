"""What is in a file: its pictures as planes, its sound, its tags, and which picture belongs to which.

Comparing lives in `metrics`.
"""
