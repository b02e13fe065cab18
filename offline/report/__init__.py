"""The report: one page about one render."""
