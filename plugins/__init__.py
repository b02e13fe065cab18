"""Plugins: what a chain is made of, and the parameters that every controller reads."""
