"""The plugins in the box: process executor, inline executor, file storage, SQLite journal, environments."""
