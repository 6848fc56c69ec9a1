"""Calls that wait: fifty threads in them at once, signals, timeouts and large sends; prints what they return."""
import ctypes
import errno
import itertools
import os
import select
import signal
import socket
import struct
import sys
import threading

LOOPBACK = '127.0.0.1'
MSG_MORE = 0x8000
TGKILL = 234
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
SYS = {'socket': 41, 'accept': 43, 'accept4': 288, 'connect': 42, 'recvfrom': 45, 'recvmsg': 47, 'recvmmsg': 299, 'sendto': 44, 'sendmsg': 46}


def call(name, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(SYS[name], *arguments)
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


def name_of(address):
    return ctypes.create_string_buffer(struct.pack('=HH4s8x', socket.AF_INET, socket.htons(address[1]), socket.inet_aton(address[0])), 16)


def listener(backlog=64):
    s = socket.socket()
    s.bind((LOOPBACK, 0))
    s.listen(backlog)
    return s


def pair():
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def bound():
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind((LOOPBACK, 0))
    return s


def send_to(s):
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.sendto(b'datagram', s.getsockname())


class Message:
    """A struct msghdr, and a struct mmsghdr."""

    def __init__(self, size, name=b'', control=0):
        self.data, self.name = ctypes.create_string_buffer(size), ctypes.create_string_buffer(name, max(16, len(name)))
        self.control = ctypes.create_string_buffer(control or 1)
        self.vector = ctypes.create_string_buffer(struct.pack('=QQ', ctypes.addressof(self.data), size))
        self.header = ctypes.create_string_buffer(struct.pack(
            '=QI4xQQQQi4xQ', ctypes.addressof(self.name), 16, ctypes.addressof(self.vector), 1,
            ctypes.addressof(self.control) if control else 0, control, 0, 0))


def full():
    """A connection that takes no more, neither here nor further on."""
    client, connection = pair()
    refused = 0
    while refused < 40:
        try:
            client.sendto(bytes(1 << 16), socket.MSG_DONTWAIT, connection.getsockname())
            refused = 0
        except BlockingIOError:
            refused += 1
            threading.Event().wait(0.001)
    return client, connection


def drain(s, until):
    s.settimeout(0.05)
    while not until():
        try:
            s.recv(1 << 20)
        except TimeoutError:
            pass


def crowded():
    """A listener that takes no connection, as long as nobody accepts those that it has."""
    server = listener(0)
    return server, [socket.create_connection(server.getsockname())]


# Each makes a socket, and says what waits there and what ends that.
def accepting():
    s = listener()
    size = ctypes.c_int(16)
    return s, lambda: call('accept', s.fileno(), ctypes.create_string_buffer(16), ctypes.byref(size)), 'accept', \
        lambda over: socket.create_connection(s.getsockname())


def receiving_stream():
    s, other = pair()
    size = ctypes.c_int(16)
    return s, lambda: call('recvfrom', s.fileno(), ctypes.create_string_buffer(8), 8, 0, ctypes.create_string_buffer(16), ctypes.byref(size)), \
        'recvfrom', lambda over: other.send(b'data')


def receiving_message():
    s, other = pair()
    message = Message(100, control=64)
    return s, lambda: call('recvmsg', s.fileno(), message.header, 0), 'recvmsg', lambda over: other.send(b'message')


def receiving_datagram():
    s = bound()
    size = ctypes.c_int(16)
    return s, lambda: call('recvfrom', s.fileno(), ctypes.create_string_buffer(100), 100, 0, ctypes.create_string_buffer(16), ctypes.byref(size)), \
        'recvfrom', lambda over: send_to(s)


def receiving_datagrams():
    s = bound()
    message = Message(100)
    return s, lambda: call('recvmmsg', s.fileno(), message.header, 1, 0, None), 'recvmmsg', lambda over: send_to(s)


def sending_by(number, send):
    s, other = full()
    to, released = name_of(other.getsockname()), []

    def go():
        # On a busy computer some room may come late.
        while isinstance(result := send(s, to), int) and not released:
            pass
        return 'sent' if isinstance(result, int) else result

    return s, go, number, lambda over: (released.append(True), drain(other, over))


def sending():
    return sending_by('sendto', lambda s, to: call('sendto', s.fileno(), bytes(1000), 1000, 0, to, 16))


def sending_message():
    messages = []

    def send(s, to):
        messages[:] = messages or [Message(1000, name=to.raw)]
        return call('sendmsg', s.fileno(), messages[0].header, 0)

    return sending_by('sendmsg', send)


def connecting():
    server, others = crowded()
    s = socket.socket()
    to = name_of(server.getsockname())

    def release(over):
        server.settimeout(0.05)
        while not over():
            try:
                others.append(server.accept()[0])
            except TimeoutError:
                pass

    return s, lambda: call('connect', s.fileno(), to, 16), 'connect', release


WAITS = [accepting, receiving_stream, receiving_message, receiving_datagram, receiving_datagrams, sending, sending_message, connecting]


class Waiting(threading.Thread):
    """A thread in a call that waits."""

    def __init__(self, make):
        super().__init__(daemon=True)
        self.kept = make()
        self.socket, self.make, self.number, self.end = self.kept
        self.result = None
        self.start()

    def run(self):
        self.result = self.make()

    def wait_in_call(self):
        """Until it is in its call, or through with it."""
        while self.is_alive():
            try:
                with open(f'/proc/self/task/{self.native_id}/syscall') as file:
                    if file.read().split()[0] == str(SYS[self.number]):
                        return
            except (OSError, TypeError):
                pass

    def release(self):
        self.end(lambda: not self.is_alive())
        self.join(20)
        return self.result if not self.is_alive() else 'waits'


def fifty():
    """Who waits holds nobody up, and everybody's call ends when its own socket has something."""
    waiting = [Waiting(make) for make in (connecting, sending, sending_message, *itertools.islice(itertools.cycle(WAITS[:5]), 47))]
    for thread in waiting:
        thread.wait_in_call()
    client, connection = pair()
    for i in range(200):
        client.sendall(struct.pack('=I', i))
        if connection.recvfrom(4)[0] != struct.pack('=I', i):
            print('wrong')
    print('others go on', sum(thread.is_alive() for thread in waiting))
    for thread in waiting:
        if (result := thread.release()) is None or isinstance(result, str) and result != 'sent':
            print(thread.number, result)
    print('all ended')


def signals():
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for make in WAITS:
        for restarts in (False, True):
            signal.siginterrupt(signal.SIGUSR1, not restarts)
            thread = Waiting(make)
            thread.wait_in_call()
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
            os.read(read, 1)
            thread.wait_in_call()
            if restarts:
                result = thread.release()
                result = 'descriptor' if thread.number == 'accept' and isinstance(result, int) else result
            else:
                # On a busy computer it may have been between two calls.
                for _ in range(100):
                    thread.join(0.2)
                    if not thread.is_alive():
                        break
                    libc.syscall(TGKILL, os.getpid(), thread.native_id, signal.SIGUSR1)
                result = thread.result
            print(make.__name__, 'restarts' if restarts else 'ends', result)
    signal.set_wakeup_fd(-1)


def timeouts():
    for make in WAITS:
        parts = make()
        option = socket.SO_SNDTIMEO if make in (sending, sending_message, connecting) else socket.SO_RCVTIMEO
        parts[0].setsockopt(socket.SOL_SOCKET, option, struct.pack('ll', 0, 20000))
        print(make.__name__, parts[1]())


def large():
    """A call that may wait sends all of it, in whatever way it is made."""
    size = 3 << 20
    ways = {
        'more': lambda s, to: s.send(bytes(size), MSG_MORE),
        'address': lambda s, to: s.sendto(bytes(size), to),
        'message': lambda s, to: s.sendmsg([bytes(size // 3)] * 3, [], 0, to),
        'message with more': lambda s, to: s.sendmsg([bytes(size // 3)] * 3, [], MSG_MORE),
        'messages': lambda s, to: sendmmsg(s, size),
    }
    for what, send in ways.items():
        client, connection = pair()
        got = []

        def read():
            while data := connection.recv(1 << 20):
                got.append(len(data))

        reader = threading.Thread(target=read)
        reader.start()
        sent = send(client, connection.getsockname())
        client.close()
        reader.join()
        print(what, sent, sum(got))


def sendmmsg(s, size):
    message = Message(size)
    ctypes.memset(message.header, 0, 12)
    libc.syscall(307, s.fileno(), message.header, 1, 0)
    return struct.unpack_from('=I', message.header, 56)[0]


def disturbed_timeout():
    """A signal that comes again and again does not keep a call from its timeout."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    for make in WAITS[:5]:
        parts = make()
        parts[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 100000))
        # The host's kernel ends the call at once.
        print(make.__name__, parts[1]() in ('EINTR', 'EAGAIN'))
    signal.setitimer(signal.ITIMER_REAL, 0)


def given_up():
    """A call that a signal ended and that is not made again answers no other one."""
    server = listener()
    server.setblocking(False)
    address, idle, lost = name_of(server.getsockname()), 0, 0
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)

    def insist(*what):
        while (result := call(*what)) == 'EINTR':
            pass
        return result

    for _ in range(300):
        s = insist('socket', socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0)
        if call('connect', s, address, 16) in (0, 'EINPROGRESS'):
            poll = select.poll()
            poll.register(s, select.POLLOUT)
            idle += any(event & select.POLLHUP for _, event in poll.poll(10000))
        while not isinstance(connection := insist('accept4', server.fileno(), None, None, 0), str):
            os.close(connection)
        lost += connection != 'EAGAIN'
        os.close(s)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print('idle', idle, lost)


for part in (fifty, signals, timeouts, large, disturbed_timeout, given_up):
    if len(sys.argv) > 1 and part.__name__ not in sys.argv[1:]:
        continue
    print('==', part.__name__)
    try:
        part()
    except Exception as error:
        print('FAILED', type(error).__name__, error)
    sys.stdout.flush()
os._exit(0)
