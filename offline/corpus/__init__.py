"""Styles from many files."""
