"""What users import: decorators that trace functions into spec."""
