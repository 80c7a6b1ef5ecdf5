"""Follows streams over plain connections, so that what a client costs is not the server's.

Arguments: port, path, readers, and the text that ends what a reader waits for; then, optionally, how many more connect and never
read, and a key. Prints "ready" when all are answered, and at the end one line of JSON about the readers: how many there were, how
many different accounts they give of what they were told (by their last ids), whether ids went back, how many events each has seen.
"""

import asyncio
import json
import socket
import sys


def request(port: int, path: str, key: str) -> bytes:
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{bearer}\r\n".encode()


async def reader(port: int, asked: bytes, until: str, ready: asyncio.Semaphore) -> tuple[int, int, bool]:
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    outgoing.write(asked)
    head = await incoming.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], head
    ready.release()
    last, seen, ordered = -(2**62), 0, True
    while line := await incoming.readline():
        if line.startswith(b"id: "):
            number = int(line[4:])
            ordered, last = ordered and number >= last, number
            seen += 1
        if until.encode() in line:
            break
    else:
        raise ConnectionError(f"the stream ended after {last}")
    outgoing.close()
    return last, seen, ordered


async def stalled(port: int, asked: bytes, ready: asyncio.Semaphore) -> socket.socket:
    """One that asks and then reads nothing, with little room."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, ("127.0.0.1", port))
    await loop.sock_sendall(made, asked)
    ready.release()
    return made


async def main(port: int, path: str, readers: int, until: str, idle: int, key: str) -> None:
    asked, ready = request(port, path, key), asyncio.Semaphore(0)
    reading = [asyncio.ensure_future(reader(port, asked, until, ready)) for _ in range(readers)]
    stuck = await asyncio.gather(*(stalled(port, asked, ready) for _ in range(idle)))
    for _ in range(readers + idle):
        await ready.acquire()
    print("ready", flush=True)
    told = await asyncio.gather(*reading)
    for each in stuck:
        each.close()
    print(
        json.dumps(
            {
                "readers": len(told),
                "accounts": len({last for last, _, _ in told}),
                "ordered": all(ordered for _, _, ordered in told),
                "seen": sorted({seen for _, seen, _ in told}),
            }
        )
    )


if __name__ == "__main__":
    port_, path_, readers_, until_, idle_, key_ = (*sys.argv[1:], *("0", "")[len(sys.argv) - 5 :])
    asyncio.run(main(int(port_), path_, int(readers_), until_, int(idle_), key_))
