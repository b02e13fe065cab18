"""Batches: many contents in many styles."""
