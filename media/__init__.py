"""Sound files, formats, tags, addresses, and files on disk that stand for sound too long for memory."""
