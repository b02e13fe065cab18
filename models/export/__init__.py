"""The streaming stylizer in TorchScript: for hosts that load that, and what the compiled core is compared with."""
