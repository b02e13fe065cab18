"""The command `gramophone`, a file for each of its commands."""
