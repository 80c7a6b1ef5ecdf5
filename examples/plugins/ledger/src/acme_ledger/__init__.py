"""An admin of Wingbeat whose inventory is a folder of files that people can review."""
