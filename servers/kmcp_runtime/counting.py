"""How a number of things is said: `1 tool`, `1,200 tools`."""


def counted(number: int, noun: str) -> str:
    """The number with its noun, which takes an s where there is not one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
