"""A wrapper that imports what it needs too early."""

import pandas as pd  # noqa: F401  # that is the fault


class ImportsMuch:
    def __init__(self, config):
        pass

    def enter(self, attempt):
        return {}

    def leave(self, error):
        pass
