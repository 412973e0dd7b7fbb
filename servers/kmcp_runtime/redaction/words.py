"""Lists of words, as data."""


def words(*lines: str) -> frozenset[str]:
    """The words of a list that is written as text: one of a hundred words is read, not one word a line."""
    return frozenset(word for line in lines for word in line.split())
