"""Audio devices, streams, rings, and the scheduler that decides what is heard."""
