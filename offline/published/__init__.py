"""The computations of the published recipes, each after its paper; plain functions of tensors and options."""
