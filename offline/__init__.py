"""Offline: two sounds in, a stylised track out."""
