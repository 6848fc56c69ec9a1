"""Opens many connections to a server of HTTP, all of them at once; asks by each when it is open, and again when a file appears."""
import asyncio
import os
import resource
import sys

address, count, signal = sys.argv[1], int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


async def ask(reader, writer):
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return await reader.readexactly(length)


async def connect():
    reader, writer = await asyncio.open_connection(address, 80)
    assert await ask(reader, writer) == b"a page of nginx\n"
    return reader, writer


async def main():
    connections = await asyncio.gather(*(connect() for _ in range(count)))
    names = {writer.get_extra_info("sockname") for _, writer in connections}
    print(len(names), "open", flush=True)
    while not os.path.exists(signal):
        await asyncio.sleep(0.02)
    answers = await asyncio.gather(*(ask(*connection) for connection in connections))
    print(answers.count(b"a page of nginx\n"), "answered", flush=True)
    for _, writer in connections:
        writer.close()
        await writer.wait_closed()


asyncio.run(main())
