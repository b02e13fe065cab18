"""The desk: a page in the browser to play on. It runs in the host, never in the engine."""
