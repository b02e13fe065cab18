"""The real-time stage: audio devices, the engine process, MIDI."""
