"""Styles that come and go while the engine plays."""
