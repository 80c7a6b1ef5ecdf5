"""What `wingbeat init plugin` writes: templates, and the contract of a seam as a class that is to be filled in."""
