"""Posts launches over plain connections that stay open: what a client costs is not the server's. Arguments: port, launches,
connections, entity."""

import asyncio
import json
import sys


async def worker(port: int, entity: str, jobs: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while jobs:
        body = json.dumps({"entity": entity, "inputs": {"n": jobs.pop()}}).encode()
        head = f"POST /api/v1/executions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        assert b" 201" in answer[0], answer[0]
        (length,) = (int(line.split(b":")[1]) for line in answer if line.startswith(b"content-length"))
        await reader.readexactly(length)
    writer.close()


async def main(port: int, launches: int, connections: int, entity: str) -> None:
    jobs = list(range(launches))
    await asyncio.gather(*(worker(port, entity, jobs) for _ in range(connections)))


if __name__ == "__main__":
    port_, launches_, connections_ = map(int, sys.argv[1:4])
    asyncio.run(main(port_, launches_, connections_, sys.argv[4]))
