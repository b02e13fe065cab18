"""What users touch: the public API, the command line, live sessions, the desk."""
