"""A catalog of Wingbeat in Redis."""
