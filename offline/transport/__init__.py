"""The closed form over whole tracks."""
