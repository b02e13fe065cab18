"""The folder of a recorded performance: header, automation, reader and writer."""
