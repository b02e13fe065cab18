"""The real-time stage: the engine plays in a process of its own, and the host is what a user of it holds."""
