"""Verbs that hand results on: in other tools' formats, as a bundle for others, and many bundles together."""
