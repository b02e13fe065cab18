"""What the host and the engine process share: settings, memory, the log of changes."""
