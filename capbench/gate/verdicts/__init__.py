"""From two tables of runs to one verdict a figure and one in all; the arithmetic of the tests lives in `statistics`."""
