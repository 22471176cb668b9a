"""Valid inputs to start from, by what reads them."""
