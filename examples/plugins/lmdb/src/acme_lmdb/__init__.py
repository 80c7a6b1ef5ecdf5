"""A journal of Wingbeat in LMDB."""
