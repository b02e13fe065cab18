"""A live session at the terminal."""
