"""MIDI, OSC, and the control surface behind both."""
