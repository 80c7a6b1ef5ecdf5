"""An engine of Wingbeat that runs the nodes of an execution one after another."""
