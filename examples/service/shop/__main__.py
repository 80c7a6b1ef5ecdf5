"""Run the service: python -m shop [PORT]. Its state is in ``$WINGBEAT_HOME`` (default ``.wingbeat``)."""

import sys

import uvicorn

from shop.app import create_app
from wingbeat.kernel import home_path

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    # Streams of events have no end of their own; the server cuts them off after this long when it is stopped.
    uvicorn.run(create_app(home_path()), host="127.0.0.1", port=port, timeout_graceful_shutdown=3)
