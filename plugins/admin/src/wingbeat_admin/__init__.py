"""The control plane of Wingbeat: the inventory of versions, launch plans with their triggers, and the history."""
