"""Planted defects: does validation notice, and does it keep quiet about clean exports?"""  # noqa: D400
