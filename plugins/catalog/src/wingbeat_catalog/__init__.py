"""The catalog of Wingbeat: what a task has computed before need not be computed again."""
