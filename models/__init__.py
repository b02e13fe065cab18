"""What a style is: features, Gram matrices, transport, the style file and the measures."""
