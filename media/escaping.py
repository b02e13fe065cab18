"""Makes text from elsewhere (names of files, tags, messages of other programs) safe to show."""

import unicodedata

# Controls, what turns the direction of writing or cannot be seen, halves of characters (a byte of a name that is not
# UTF-8 is one), what has no meaning (yet, or to anyone else), and separators of lines.
_ESCAPED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Without these joiners, Persian, Hindi and some emoji are not spelt right.
_JOINERS = frozenset("\u200c\u200d")


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return `text` with everything that could steer a terminal or mislead a reader as escapes such as `\x1b`.

    Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in _ESCAPED and letter not in _JOINERS and letter not in keep
        else letter
        for letter in text
    )


def shortened(text: str, most: int) -> str:
    """Return `text`, cut to at most `most` bytes in the name of a file."""
    return text.encode("utf-8", "surrogatepass")[:most].decode("utf-8", "ignore")
