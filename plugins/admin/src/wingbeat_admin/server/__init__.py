"""The admin and the engine of this process, for others over HTTP. Needs the extra `server`."""
