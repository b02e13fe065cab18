"""Audio devices, streams, rings, and when what is heard."""
