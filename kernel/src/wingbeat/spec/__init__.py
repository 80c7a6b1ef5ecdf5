"""What was declared: the language-neutral wire format, content-addressed and versioned."""
