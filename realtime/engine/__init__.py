"""The engine process, and what keeps it alive."""
