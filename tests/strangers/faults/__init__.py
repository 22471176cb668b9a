"""Faults planted into right outputs: tools, and the kinds by subject."""
