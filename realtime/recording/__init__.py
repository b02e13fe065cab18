"""The recorder's process."""
