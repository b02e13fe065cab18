"""What a style is: the style and its file, Gram matrices, transport, bands."""
