"""The commands: one module each, which parses, makes one call and renders."""
