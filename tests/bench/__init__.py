"""Speed of single steps, and studies by simulation."""
