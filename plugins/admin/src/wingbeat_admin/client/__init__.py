"""The admin and the engine of a server elsewhere, over HTTP."""
