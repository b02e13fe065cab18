"""The streaming stylizer, hop by hop."""
