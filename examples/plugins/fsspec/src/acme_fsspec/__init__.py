"""Storage of Wingbeat on any file system that fsspec knows."""
