"""Words without opinions: ids, error classes, units, settings. Imports nothing else of Wingbeat."""
