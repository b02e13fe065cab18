"""Bounces: a recorded performance, rendered again."""
