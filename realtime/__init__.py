"""Real time: the engine plays in a process of its own, and the host steers it from the user's process."""
