"""The admin in this process, over one SQLite file."""
