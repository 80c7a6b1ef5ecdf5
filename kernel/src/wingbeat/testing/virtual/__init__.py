"""The production engine in a virtual world: no time passes, no thread runs, and everything that can go wrong does, by a seed."""
