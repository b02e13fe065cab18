"""The feature networks: random convolutions, VGG-19, the auditory texture model."""
