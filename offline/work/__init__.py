"""How long work goes on: its folder, its progress, its memory, its blocks."""
