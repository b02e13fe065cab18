"""The measures: style distance, texture distance, content kept, pitch."""
