"""What the host and the engine process both know: settings, shared memory, the log of changes."""
