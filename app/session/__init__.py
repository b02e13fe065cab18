"""What the terminal and the desk share of a live session: knobs, styles, takes, settings that are kept."""
