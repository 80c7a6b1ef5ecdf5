"""What the catalog offers to the kernel: its hook implementations."""
