"""What long renders need: a folder for unfinished work, progress, memory checks, blocks, settings."""
