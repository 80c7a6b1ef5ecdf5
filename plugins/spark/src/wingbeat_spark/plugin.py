"""What the Spark plugin offers to the kernel: its hook implementations."""
