"""Curves of rate and quality, and corpora of clips: folded to blocks, compared as Bjøntegaard does, judged as one."""
