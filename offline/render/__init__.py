"""Renders: from content and style to a stylised track."""
