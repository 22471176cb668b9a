"""The state of a machine that its load does not show: power, frequency policy, heat, shared screens, lent encoders."""
