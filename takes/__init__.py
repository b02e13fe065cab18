"""How a recorded performance is stored: header, automation, sound, styles, reader and writer."""
