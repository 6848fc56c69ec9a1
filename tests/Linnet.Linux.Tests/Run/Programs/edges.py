"""States that sockets seldom are in; prints what a program sees there, which is the same on Linnet and on the host's kernel."""
import array
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

LOOPBACK = '127.0.0.1'
NAMES = (('IN', select.POLLIN), ('PRI', select.POLLPRI), ('OUT', select.POLLOUT), ('ERR', select.POLLERR),
         ('HUP', select.POLLHUP), ('RDHUP', select.POLLRDHUP))
WANTED = select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLPRI


def name(number):
    return errno.errorcode.get(number, number)


def events(sock, timeout=0, wanted=WANTED):
    poll = select.poll()
    poll.register(sock, wanted)
    happened = poll.poll(timeout)
    return '|'.join(text for text, bit in NAMES if happened and happened[0][1] & bit) or '-'


def settled(sock, expected):
    """The events once they are as expected, which what travels may delay; else those of the end."""
    for _ in range(1000):
        if events(sock) == expected:
            break
        time.sleep(0.005)
    return events(sock)


def disturbed(sock):
    """Waits until a socket is not just writable any more; on Linnet it is readable then, in place of its error."""
    for _ in range(1000):
        if events(sock) != 'OUT':
            break
        time.sleep(0.005)


def attempt(what, call):
    try:
        print(what, call())
    except OSError as error:
        print(what, name(error.errno) if error.errno else error)


def error_of(sock):
    return name(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def listener():
    sock = socket.socket()
    sock.bind((LOOPBACK, 0))
    sock.listen(5)
    return sock


def pair():
    server = listener()
    client = socket.create_connection(server.getsockname())
    connection, _ = server.accept()
    server.close()
    return client, connection


def unused_port():
    sock = socket.socket()
    sock.bind((LOOPBACK, 0))
    port = sock.getsockname()[1]
    sock.close()
    return port


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def fresh():
    sock = socket.socket()
    sock.settimeout(2)
    print('fresh', events(sock))
    attempt('recvfrom', lambda: sock.recvfrom(10))
    try:
        sock.recv(1)
        print('read something')
    except TimeoutError:
        print('waited')
    except OSError:
        print('no wait')
    try:
        sock.send(b'x')
        print('sent')
    except OSError:
        print('not sent')


def failed():
    port = unused_port()
    sock = socket.socket()
    sock.setblocking(False)
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLOUT)
    print('in progress', name(sock.connect_ex((LOOPBACK, port))), settled(sock, 'IN|OUT|ERR|HUP|RDHUP'))
    print('error', error_of(sock), error_of(sock))
    print('after', events(sock))
    print('again', name(sock.connect_ex((LOOPBACK, port))), name(sock.connect_ex((LOOPBACK, port))))
    print('second', settled(sock, 'IN|OUT|ERR|HUP|RDHUP'), error_of(sock))
    server = socket.socket()
    server.bind((LOOPBACK, port))
    server.listen()
    while (result := sock.connect_ex((LOOPBACK, port))) == errno.ECONNABORTED:
        pass
    print('third', name(result), settled(sock, 'OUT'), error_of(sock))
    print('watched', epoll.poll(5) == [(sock.fileno(), select.EPOLLOUT)])
    epoll.modify(sock, select.EPOLLIN)
    print('changed', epoll.poll(0))
    epoll.unregister(sock)
    connection, _ = server.accept()
    sock.sendall(b'works')
    print(connection.recv(5, socket.MSG_WAITALL), sock.getblocking())


def failed_blocking():
    port = unused_port()
    sock = socket.socket()
    attempt('first', lambda: sock.connect((LOOPBACK, port)))
    server = socket.socket()
    server.bind((LOOPBACK, port))
    server.listen()
    attempt('then', lambda: sock.connect((LOOPBACK, port)))
    attempt('twice', lambda: sock.connect((LOOPBACK, port)))
    print(settled(sock, 'OUT'))


def dissolved():
    server = listener()
    sock = socket.create_connection(server.getsockname())
    unspecified = struct.pack('=H14x', socket.AF_UNSPEC)
    import ctypes
    print('dissolve', ctypes.CDLL(None).connect(sock.fileno(), unspecified, 16))
    attempt('peer', sock.getpeername)
    attempt('connect', lambda: sock.connect(server.getsockname()))
    print(settled(sock, 'OUT'))
    sock.send(b'hello')
    server.accept()
    print(server.accept()[0].recv(5, socket.MSG_WAITALL))


def resets():
    client, connection = pair()
    reset(connection)
    print('reset', settled(client, 'IN|OUT|ERR|HUP|RDHUP'))
    print('error', error_of(client), error_of(client), events(client))
    attempt('read', lambda: client.recv(1))
    attempt('write', lambda: client.send(b'x'))
    client, connection = pair()
    reset(connection)
    settled(client, 'IN|OUT|ERR|HUP|RDHUP')
    attempt('read', lambda: client.recv(1))
    print('error', error_of(client), events(client))
    attempt('read', lambda: client.recv(1))
    attempt('connect', lambda: client.connect((LOOPBACK, 1)))
    client, connection = pair()
    client.send(b'unread')
    connection.send(b'answer')
    settled(connection, 'IN|OUT')
    connection.close()
    settled(client, 'IN|OUT|ERR|HUP|RDHUP')
    attempt('data', lambda: client.recv(100))
    attempt('then', lambda: client.recv(100))
    attempt('then', lambda: client.recv(100))


def data_before_reset():
    client, connection = pair()
    sent = connection.send(bytes(60000))
    settled(client, 'IN|OUT')
    time.sleep(0.1)
    client.setblocking(False)
    reset(connection)
    settled(client, 'IN|OUT|ERR|HUP|RDHUP')
    try:
        while True:
            client.send(bytes(1000))
    except OSError as error:
        print('write', 'reset' if error.errno in (errno.EPIPE, errno.ECONNRESET) else error)
    received = 0
    try:
        while data := client.recv(10000):
            received += len(data)
    except ConnectionResetError:
        # A write may have been told already.
        pass
    print('read', received == sent)


def inherited_reset():
    """The process that has the connection did not make it, and who did has closed it."""
    client, connection = pair()
    report, out = os.pipe()
    if os.fork() == 0:
        client.close()
        os.dup2(connection.fileno(), 100)
        connection.close()
        moved = socket.socket(fileno=100)
        print('ready', file=os.fdopen(out, 'w'), flush=True)
        sys.stdout.flush()
        try:
            print('child read', moved.recv(1))
        except OSError as error:
            print('child', name(error.errno))
        sys.stdout.flush()
        os._exit(0)
    os.close(out)
    connection.close()
    os.fdopen(report).readline()
    reset(client)
    os.wait()


def halves():
    client, connection = pair()
    client.shutdown(socket.SHUT_WR)
    print('mine', events(client), 'theirs', settled(connection, 'IN|OUT|RDHUP'))
    attempt('write', lambda: client.send(b'x'))
    connection.send(b'late')
    print(client.recv(4), connection.recv(1))
    connection.close()
    print('both', settled(client, 'IN|OUT|HUP|RDHUP'))
    attempt('shutdown', lambda: client.shutdown(socket.SHUT_WR))
    client, connection = pair()
    client.shutdown(socket.SHUT_RD)
    print('no reading', events(client), client.recv(1))
    client.send(b'still')
    print(connection.recv(5, socket.MSG_WAITALL))
    connection.shutdown(socket.SHUT_RDWR)
    print('closed', settled(connection, 'IN|OUT|HUP|RDHUP'), settled(client, 'IN|OUT|RDHUP'))


def listeners():
    server = listener()
    attempt('write', lambda: server.send(b'x', socket.MSG_NOSIGNAL))
    print('idle', events(server))
    waiting = []

    def accept():
        try:
            server.accept()
        except OSError as error:
            waiting.append(name(error.errno))

    thread = threading.Thread(target=accept)
    thread.start()
    time.sleep(0.1)
    server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    print('shut', waiting, bool(events(server) != '-'))
    server.listen()
    server.setblocking(False)
    print('again', events(server))
    attempt('nobody', server.accept)


def edges():
    server = listener()
    server.setblocking(False)
    epoll = select.epoll()
    epoll.register(server, select.EPOLLIN | select.EPOLLET)
    clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
    print('first', len(epoll.poll(1)))
    first, _ = server.accept()
    clients.append(socket.create_connection(server.getsockname()))
    print('next', len(epoll.poll(1)))
    for _ in range(3):
        server.accept()
    attempt('none', server.accept)
    clients.append(socket.create_connection(server.getsockname()))
    print('after none', len(epoll.poll(1)))
    epoll.register(clients[0], select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    print('writable', [happened == select.EPOLLOUT for _, happened in epoll.poll(1)])
    first.send(b'a')
    print('data', [happened & select.EPOLLIN for _, happened in epoll.poll(1)])
    print('quiet', epoll.poll(0.02))
    first.send(b'b')
    print('more', [happened & select.EPOLLIN for _, happened in epoll.poll(1)])


def timeouts():
    client, connection = pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 50000))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 50000))
    attempt('read', lambda: os.read(client.fileno(), 1))

    def fill():
        while True:
            client.send(bytes(1 << 16))

    attempt('write', fill)
    server = listener()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 50000))
    attempt('accept', server.accept)
    client = socket.create_connection(server.getsockname())
    connection, _ = server.accept()
    print(any(struct.unpack('ll', connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))))
    attempt('inherited', lambda: os.read(connection.fileno(), 1))
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 50000))
    client.connect(server.getsockname())
    attempt('set before', lambda: os.read(client.fileno(), 1))


def flags():
    server = listener()
    for way in ('fcntl', 'ioctl'):
        sock = socket.socket()
        if way == 'fcntl':
            fcntl.fcntl(sock, fcntl.F_SETFL, os.O_NONBLOCK)
        else:
            fcntl.ioctl(sock, termios.FIONBIO, struct.pack('i', 1))
        print(way, name(sock.connect_ex(server.getsockname())) in ('EINPROGRESS', 0), settled(sock, 'OUT'))
        attempt('read', lambda: os.read(sock.fileno(), 1))
    client, connection = pair()
    seen = []
    signal.signal(signal.SIGIO, lambda *_: seen.append('SIGIO'))
    fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(client, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    connection.send(b'x')
    settled(client, 'IN|OUT')
    time.sleep(0.05)
    print(bool(seen), client.recv(2))


def counts():
    client, connection = pair()
    value = array.array('i', [0])
    connection.sendall(b'12345')
    settled(client, 'IN|OUT')
    fcntl.ioctl(client, termios.FIONREAD, value)
    print('unread', value[0])
    for _ in range(200):
        fcntl.ioctl(connection, termios.TIOCOUTQ, value)
        if value[0] == 0:
            break
        time.sleep(0.005)
    print('unsent', value[0])
    print('peek', client.recv(3, socket.MSG_PEEK), client.recv(5, socket.MSG_WAITALL | socket.MSG_PEEK))
    print('discard', client.recv_into(bytearray(4), 4, socket.MSG_TRUNC), client.recv(9))
    connection.sendall(b'abcdefgh')
    settled(client, 'IN|OUT')
    print('message', client.recvmsg(3, 100), client.recvmsg(3, 0, socket.MSG_PEEK), client.recvmsg(100, 100, socket.MSG_TRUNC)[3] == 0)
    sizes = []
    for size in (0, 4096, 65536):
        client, connection = pair()
        if size:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        client.setblocking(False)
        total = 0
        try:
            for _ in range(20000):
                total += client.send(bytes(1000))
                time.sleep(0.00001)
        except BlockingIOError:
            pass
        sizes.append(total)
    print('bounded', sizes[1] < 150_000, sizes[2] < 500_000)


def urgent():
    client, connection = pair()
    seen = []
    signal.signal(signal.SIGURG, lambda *_: seen.append('SIGURG'))
    fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
    connection.send(b'abc')
    connection.send(b'!', socket.MSG_OOB)
    connection.send(b'def')
    for _ in range(400):
        if 'PRI' in events(client):
            break
        time.sleep(0.005)
    time.sleep(0.05)
    print('urgent', events(client), bool(seen), [len(x) for x in select.select([], [], [client], 0)])
    at = array.array('i', [7])
    SIOCATMARK = 0x8905
    fcntl.ioctl(client, SIOCATMARK, at)
    print('at mark', at[0], client.recv(100))
    fcntl.ioctl(client, SIOCATMARK, at)
    attempt('at mark %d' % at[0], lambda: client.recv(1, socket.MSG_OOB))
    attempt('twice', lambda: client.recv(1, socket.MSG_OOB))
    print(client.recv(100), events(client))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    connection.send(b'x')
    connection.send(b'?', socket.MSG_OOB)
    time.sleep(0.1)
    print('inline', client.recv(100), client.recv(100))


def moved():
    """What is at a number changes while a call waits there."""
    server = listener()
    port = server.getsockname()
    files = os.pipe()
    accepted = []
    thread = threading.Thread(target=lambda: accepted.append(socket.socket(fileno=server._accept()[0])), daemon=True)
    thread.start()
    time.sleep(0.1)
    keep = os.dup(server.fileno())
    other, end = socket.socketpair()
    end.send(b'not to be taken')
    os.dup2(other.fileno(), server.fileno())
    client = socket.create_connection(port)
    thread.join(5)
    print('accepted', len(accepted), other.recv(100, socket.MSG_DONTWAIT))


def passing():
    ours, theirs = socket.socketpair()
    server = listener()
    if os.fork() == 0:
        _, fds, _, _ = socket.recv_fds(theirs, 10, 1)
        got = socket.socket(fileno=fds[0])
        connection, _ = got.accept()
        connection.sendall(b'from the other process')
        os._exit(0)
    socket.send_fds(ours, [b'x'], [server.fileno()])
    port = server.getsockname()
    server.close()
    print(socket.create_connection(port).recv(100))
    os.wait()


def executed():
    client, connection = pair()
    kept, closed = os.dup(client.fileno()), client.fileno()
    os.set_inheritable(kept, True)
    os.set_inheritable(closed, False)
    program = f'''
import os, socket
try: os.fstat({closed}); print('open')
except OSError: print('closed')
socket.socket(fileno={kept}).sendall(b'after exec')
'''
    pid = os.posix_spawn(sys.executable, [sys.executable, '-c', program], os.environ)
    print(connection.recv(10, socket.MSG_WAITALL))
    os.waitpid(pid, 0)


def spliced():
    client, connection = pair()
    with open(__file__, 'rb') as file:
        print('sendfile', os.sendfile(client.fileno(), file.fileno(), 0, 100))
    print(connection.recv(3, socket.MSG_WAITALL), len(connection.recv(97, socket.MSG_WAITALL)))
    read, write = os.pipe()
    client.send(b'through a pipe')
    settled(connection, 'IN|OUT')
    print('splice', os.splice(connection.fileno(), write, 14), os.read(read, 100))
    os.write(write, b'and back')
    print('splice', os.splice(read, client.fileno(), 8), connection.recv(8, socket.MSG_WAITALL))


def errors_of_datagrams():
    port = unused_port()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((LOOPBACK, port))
    sock.send(b'x')
    disturbed(sock)
    print(error_of(sock), events(sock))
    sock.send(b'x')
    disturbed(sock)
    attempt('recvfrom', lambda: sock.recvfrom(10))
    sock.send(b'x')
    disturbed(sock)
    attempt('send', lambda: sock.sendto(b'x', (LOOPBACK, port)))
    sock.setblocking(False)
    time.sleep(0.05)
    error_of(sock)
    attempt('nothing', lambda: sock.recv(10))


def interrupted():
    """A signal ends a call, or does not, by SA_RESTART."""
    server = listener()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((LOOPBACK, 0))
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    calls = {
        'accept': lambda: libc.accept(server.fileno(), None, None),
        'recvfrom': lambda: libc.recvfrom(datagrams.fileno(), bytes(10), 10, 0, bytes(16), ctypes.byref(ctypes.c_int(16))),
        'recv': lambda: libc.recv(datagrams.fileno(), bytes(10), 10, 0),
        'recvmsg': lambda: libc.recvmsg(datagrams.fileno(), bytes(56), 0),
    }
    seen = []

    def handler(number, frame):
        seen.append(number)

    signal.signal(signal.SIGALRM, handler)
    me = threading.get_ident()
    for what, call in calls.items():
        signal.siginterrupt(signal.SIGALRM, True)
        timer = threading.Timer(0.1, lambda: signal.pthread_kill(me, signal.SIGALRM))
        timer.start()
        ctypes.set_errno(0)
        print(what, call(), name(ctypes.get_errno()))
        timer.join()
        signal.siginterrupt(signal.SIGALRM, False)

        def wake():
            signal.pthread_kill(me, signal.SIGALRM)
            time.sleep(0.1)
            if what == 'accept':
                socket.create_connection(server.getsockname())
            else:
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', datagrams.getsockname())

        timer = threading.Timer(0.1, wake)
        timer.start()
        print('restarted', call() >= 0)
        timer.join()
    print(len(seen))


parts = [fresh, failed, failed_blocking, dissolved, resets, data_before_reset, inherited_reset, halves, listeners, edges, timeouts, flags,
         counts, urgent, moved, passing, executed, spliced, errors_of_datagrams, interrupted]
for part in parts:
    if len(sys.argv) > 1 and part.__name__ not in sys.argv[1:]:
        continue
    print('==', part.__name__)
    sys.stdout.flush()
    try:
        part()
    except Exception as error:
        print('FAILED', type(error).__name__, error)
    sys.stdout.flush()
sys.stdout.flush()
os._exit(0)
