"""The offline stage: two sounds in, a stylised track out."""
