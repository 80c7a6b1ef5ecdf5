"""What runs inside the process of an attempt."""
