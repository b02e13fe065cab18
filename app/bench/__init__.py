"""Measurements on the computer that it runs on."""
