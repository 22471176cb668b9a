"""Pages about several machines: a fleet's folder by machine and over machines."""
