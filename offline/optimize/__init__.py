"""Optimisation of a sound against losses, block by block."""
