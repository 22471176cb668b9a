"""What is made of a pair of pictures before it is measured: clamped codes, samples at their own depth, flat colours."""
