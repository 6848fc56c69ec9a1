"""What programs do with sockets; prints what they see, which is the same on Linnet and on the host's kernel."""
import asyncio
import ctypes
import errno
import os
import select
import socket
import threading

LOOPBACK = '127.0.0.1'


def name(number):
    return errno.errorcode.get(number, number)


def events(sock, timeout=5000, wanted=select.POLLIN | select.POLLOUT):
    poll = select.poll()
    poll.register(sock, wanted)
    return [happened for _, happened in poll.poll(timeout)]


def attempt(what, call):
    try:
        print(what, call())
    except OSError as error:
        print(what, name(error.errno) if error.errno else error)


def listener():
    sock = socket.socket()
    sock.bind((LOOPBACK, 0))
    sock.listen(5)
    return sock


def refusals():
    attempt('refused', lambda: socket.socket().connect((LOOPBACK, 1)))
    sock = socket.socket()
    sock.setblocking(False)
    print('in progress', name(sock.connect_ex((LOOPBACK, 1))), events(sock))
    print('error', name(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
    attempt('not connected', sock.getpeername)
    attempt('bad address', lambda: sock.bind(('192.0.2.77', 1)))


def streams():
    server = listener()
    print('idle listener', events(server, 0))

    def serve():
        connection, address = server.accept()
        print('accepted from', address[0], address == connection.getpeername())
        data = connection.recv(5, socket.MSG_WAITALL)
        connection.sendall(data * 100_000)
        connection.shutdown(socket.SHUT_WR)
        print('half closed', connection.recv(10), connection.recv(10))

    thread = threading.Thread(target=serve)
    thread.start()
    client = socket.create_connection(server.getsockname())
    client.sendall(b'hello')
    received = b''
    while data := client.recv(65536):
        received += data
    print('received', len(received), received == b'hello' * 100_000)
    client.sendall(b'bye')
    client.close()
    thread.join()

    client = socket.create_connection(server.getsockname())
    print('pending', events(server, wanted=select.POLLIN))
    connection, _ = server.accept()
    print('taken', events(server, 0))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    connection.close()
    print('reset', bool(events(client, wanted=select.POLLIN)[0] & select.POLLHUP))
    attempt('read', lambda: client.recv(10))
    attempt('again', lambda: client.recv(10))
    attempt('write', lambda: client.send(b'x'))
    attempt('peer', client.getpeername)
    server.settimeout(0.05)
    attempt('nobody', server.accept)


def backpressure():
    server = listener()
    client = socket.create_connection(server.getsockname())
    connection, _ = server.accept()
    client.setblocking(False)
    sent = 0
    try:
        while sent < 100_000_000:
            sent += client.send(bytes(65536))
    except BlockingIOError:
        pass
    print('blocked', sent < 100_000_000, events(client, 0))
    received = 0
    while received < sent:
        received += len(connection.recv(1 << 20))
    print('flows again', received == sent, events(client))


def datagrams():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((LOOPBACK, 0))
    two = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for text in (b'first', b'', b'third', b'fourth'):
        two.sendto(text, one.getsockname())
    print('readable', events(one, wanted=select.POLLIN))
    print(one.recvfrom(10)[0], one.recv(10), one.recvfrom(2)[0], one.recv(10, socket.MSG_PEEK), os.read(one.fileno(), 10))
    attempt('empty', lambda: one.recv(10, socket.MSG_DONTWAIT))
    two.connect(one.getsockname())
    two.send(b'connected')
    data, sender = one.recvfrom(20)
    print(data, sender == two.getsockname())
    recvttl = 12  # Python has no name for IP_RECVTTL.
    one.setsockopt(socket.IPPROTO_IP, recvttl, 1)
    for ttl in range(1, 21):
        two.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        two.send(bytes([ttl]))
    received = [one.recvmsg(10, 100) for _ in range(20)]
    print('options hold from then on', all(data[0] == ancillary[0][2][0] for data, ancillary, _, _ in received))
    attempt('large', lambda: two.send(bytes(70000)))
    two.settimeout(0.05)
    attempt('silence', lambda: two.recv(10))
    two.settimeout(10)
    one.close()
    two.send(b'x')
    attempt('closed port', lambda: two.recvfrom(10))


def processes():
    server = listener()
    child = os.fork()
    if child == 0:
        connection = socket.create_connection(server.getsockname())
        connection.send(b'from the child')
        os._exit(0)
    connection, _ = server.accept()
    print(connection.recv(100, socket.MSG_WAITALL))
    os.waitpid(child, 0)
    copy = os.dup(connection.fileno())
    connection.close()
    same = socket.socket(fileno=copy)
    print('dup', same.type == socket.SOCK_STREAM, same.recv(10))


def pointers():
    libc = ctypes.CDLL(None, use_errno=True)
    bad, good = ctypes.c_void_p(8), ctypes.create_string_buffer(128)
    sock = socket.socket()
    fd = sock.fileno()
    for what, call in (
            ('connect', lambda: libc.connect(fd, bad, 16)),
            ('bind', lambda: libc.bind(fd, bad, 16)),
            ('getsockname', lambda: libc.getsockname(fd, bad, good)),
            ('setsockopt', lambda: libc.setsockopt(fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, bad, 4)),
            ('getsockopt', lambda: libc.getsockopt(fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, bad, bad)),
            ('sendmsg', lambda: libc.sendmsg(fd, bad, 0)),
            ('recvmsg', lambda: libc.recvmsg(fd, bad, 0)),
            ('no socket', lambda: libc.bind(0, good, 16)),
            ('no file', lambda: libc.bind(999, good, 16))):
        for _ in range(200):
            ctypes.set_errno(0)
            result = call()
        print(what, result, name(ctypes.get_errno()))


async def many():
    served = []

    async def echo(reader, writer):
        served.append(asyncio.current_task())
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, LOOPBACK, 0, backlog=300)
    port = server.sockets[0].getsockname()[1]

    async def client(index):
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        for round in range(5):
            message = os.urandom(1000 * (round + 1))
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
        writer.close()
        await writer.wait_closed()
        return 1

    print('echoed', sum(await asyncio.gather(*[client(i) for i in range(200)])))
    await asyncio.gather(*served)
    print('served', len(served))


for part in (refusals, streams, backpressure, datagrams, processes, pointers):
    print('==', part.__name__)
    part()
asyncio.run(many())
