"""Signals: audio files, STFT, phase, levels. Nothing here knows of styles."""
