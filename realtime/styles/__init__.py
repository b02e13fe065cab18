"""Loads and switches styles while the engine plays."""
