"""Who is installed, and where: discovery, plugin manager, registry, configuration, the user's project."""
