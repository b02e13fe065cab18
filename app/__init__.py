"""The face: the public API, the command line, live sessions, the desk."""
