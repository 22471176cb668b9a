"""Charts as SVG, one module a kind. What they show is prepared by `page`."""
