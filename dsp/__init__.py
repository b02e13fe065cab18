"""Signals: frames, STFT, windows, phase, levels. Nothing here knows of files or styles."""
