"""What a performer reaches, by whichever hand: knobs, styles, takes, the session's memory."""
