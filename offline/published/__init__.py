"""What the published recipes compute, each after its paper; plain functions of tensors and options."""
