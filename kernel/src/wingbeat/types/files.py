"""Being written."""


class File:
    """A file."""


class Directory:
    """A tree."""
