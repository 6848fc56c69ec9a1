"""
Makes socket calls whose pointers and lengths are bad as often as not, each on sockets of its own, and prints what they return.
The seed is the first argument, how many calls is the second.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import random
import socket
import struct
import sys

LOOPBACK = '127.0.0.1'
PAGE = mmap.PAGESIZE
READ, WRITE = 1, 2
MSG_DONTWAIT, MSG_NOSIGNAL = 0x40, 0x4000

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.syscall.restype = ctypes.c_long
NUMBERS = {
    'connect': 42, 'sendto': 44, 'recvfrom': 45, 'sendmsg': 46, 'recvmsg': 47, 'shutdown': 48, 'bind': 49, 'listen': 50,
    'getsockname': 51, 'getpeername': 52, 'setsockopt': 54, 'getsockopt': 55, 'ioctl': 16, 'accept4': 288, 'recvmmsg': 299,
    'sendmmsg': 307,
}


def syscall(name, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(NUMBERS[name], *[ctypes.c_ulong(a & (1 << 64) - 1) for a in arguments])
    return result, errno.errorcode.get(ctypes.get_errno()) if result < 0 else None


class Memory:
    """Pages of all kinds, and addresses in them that have names."""

    def __init__(self):
        self.base = base = libc.mmap(None, 16 * PAGE, READ | WRITE, 0x22, -1, 0)
        self.protect(2, READ)
        self.protect(3, 0)
        self.protect(6, 0)
        libc.munmap(ctypes.c_void_p(base + 8 * PAGE), PAGE)
        self.good, self.vector, self.header, self.length, self.address = base, base + 9 * PAGE, base + 10 * PAGE, base + 11 * PAGE, base + 12 * PAGE
        self.places = {
            'good': base, 'odd': base + 1, 'straddling': base + PAGE - 3, 'read only': base + 2 * PAGE,
            'into read only': base + 2 * PAGE - 8, 'none': base + 3 * PAGE, 'into none': base + 6 * PAGE - 5, 'at the end': base + 6 * PAGE - 16,
            'no page': base + 8 * PAGE, 'into no page': base + 8 * PAGE - 12, 'null': 0, 'low': 24,
            'of the kernel': 0xFFFF888000000000, 'last': (1 << 64) - 8, 'not canonical': 1 << 47, 'behind all': (1 << 47) - PAGE - 8,
        }

    def protect(self, page, protection):
        libc.mprotect(ctypes.c_void_p(self.base + page * PAGE), PAGE, protection)

    def fill(self):
        for page in (0, 1, 4, 5, 7, 9, 10, 11, 12):
            ctypes.memset(self.base + page * PAGE, 0, PAGE)

    def poke(self, address, data):
        ctypes.memmove(address, data, len(data))


class Sockets:
    """A socket in a state, and what it needs for that."""

    def __init__(self):
        self.open = []

    def make(self, kind):
        s = getattr(self, kind.replace(' ', '_'))()
        return s if isinstance(s, int) else s.fileno()

    def fresh(self, kind=socket.SOCK_STREAM):
        s = socket.socket(type=kind)
        s.setblocking(False)
        self.open.append(s)
        return s

    def bound(self, kind=socket.SOCK_STREAM):
        s = self.fresh(kind)
        s.bind((LOOPBACK, 0))
        return s

    def listening(self):
        s = self.bound()
        s.listen()
        return s

    def connected(self):
        s, server = self.fresh(), self.listening()
        s.connect_ex(server.getsockname())
        server.setblocking(True)
        self.open.append(server.accept()[0])
        s.setblocking(True)
        s.connect_ex(server.getsockname())
        s.setblocking(False)
        return s

    def has_accepted(self):
        self.connected()
        return self.open[-1]

    def can_accept(self):
        server, s = self.listening(), self.fresh()
        s.setblocking(True)
        s.connect(server.getsockname())
        return server

    def datagram(self):
        return self.fresh(socket.SOCK_DGRAM)

    def bound_datagram(self):
        return self.bound(socket.SOCK_DGRAM)

    def datagram_with_data(self):
        s = self.bound_datagram()
        for data in (b'first datagram', b'second'):
            self.fresh(socket.SOCK_DGRAM).sendto(data, s.getsockname())
        return s

    def connected_datagram(self):
        s = self.datagram()
        s.connect(self.bound_datagram().getsockname())
        return s

    def file(self):
        fd = os.open('/dev/null', os.O_RDWR)
        self.open.append(os.fdopen(fd, 'wb', closefd=True))
        return fd

    def closed(self):
        return 900

    def nothing(self):
        return -1

    def close(self):
        for s in self.open:
            s.close()
        self.open.clear()


KINDS = ['fresh', 'bound', 'listening', 'connected', 'has accepted', 'can accept', 'datagram', 'bound datagram', 'datagram with data',
         'connected datagram', 'file', 'closed', 'nothing']
SIZES = [0, 1, 2, 4, 8, 15, 16, 17, 28, 112, 128, 129, 4096, 65507, 65508, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1]
COUNTS = [0, 1, 2, 3, 8, 1024, 1025, 1 << 31, (1 << 64) - 1]
LENGTHS = [0, 1, 2, 4, 8, 12, 15, 16, 28, 100, 128, 1 << 30, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
OPTIONS = [(socket.SOL_SOCKET, o) for o in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 18, 20, 21, 29, 30, 36, 38, 39, 47, 1000)] \
    + [(socket.IPPROTO_IP, o) for o in (1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 14, 15, 32, 33, 34, 35, 36, 49, 50, 1000)] \
    + [(socket.IPPROTO_TCP, o) for o in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 18, 25, 36, 1000)] + [(1000, 1), (-1, -1)]
# What docs/run.md lists as different: plain reads and writes of sockets that are not connected, and what a listener has to read.
UNCONNECTED = ['fresh', 'bound', 'listening', 'can accept']
IOCTLS = [0x541B, 0x5411, 0x8905, 0x8906, 0x8910, 0x8912, 0x8913, 0x8915, 0x8921, 0x8933, 0x89FF]


class Hammer:
    def __init__(self, seed):
        self.random, self.memory = random.Random(seed), Memory()

    def place(self, good=0.3):
        name = 'good' if self.random.random() < good else self.random.choice(list(self.memory.places))
        return name, self.memory.places[name]

    def name(self, port):
        """An address: a good one somewhere, or none."""
        kind = self.random.choice(['right', 'right', 'right', 'unspecified', 'of IPv6', 'of nothing', 'elsewhere'])
        family = {'unspecified': 0, 'of IPv6': 10, 'of nothing': 77}.get(kind, 2)
        data = struct.pack('=HH4B8x', family, socket.htons(port), 127, 0, 0, 1)
        if kind == 'elsewhere':
            return self.place(0)
        address = self.memory.address + self.random.choice([0, 1, 100, PAGE - 16])
        self.memory.poke(address, data)
        return kind, address

    def socklen(self):
        """Where a length lies, and what it is."""
        if self.random.random() < 0.3:
            return self.place(0)
        value = self.random.choice(LENGTHS)
        self.memory.poke(self.memory.length, struct.pack('=I', value))
        return f'to {value}', self.memory.length

    def header(self, port, at, name_written):
        """A struct msghdr whose parts may be bad."""
        r = self.random
        name = ('null', 0) if r.random() < 0.4 else self.place() if name_written else self.name(port)
        count = r.choice([1, 1, 1, 2, 2] + COUNTS)
        pieces = []
        for i in range(min(count, 3)):
            piece, size = self.place(0.7), r.choice(SIZES if r.random() < 0.3 else SIZES[:10])
            pieces.append((piece[0], size))
            self.memory.poke(self.memory.vector + i * 16, struct.pack('=QQ', piece[1], size))
        iov = ('vector', self.memory.vector) if r.random() < 0.8 else self.place(0)
        control, size = (('null', 0), 0) if r.random() < 0.6 else (self.place(), r.choice(SIZES[:12] + [0x7FFFFFFF, 1 << 63]))
        length = r.choice([0, 16, 16, 28, 128, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
        self.memory.poke(at, struct.pack('=QI4xQQQQi4x', name[1], length, iov[1], count, control[1], size, 0))
        return name[0], length, iov[0], count, pieces, control[0], size

    def arguments(self, call, port):
        """What to pass behind the descriptor: numbers, and words for them."""
        r = self.random
        if call in ('connect', 'bind'):
            name, length = self.name(port), r.choice(LENGTHS)
            return (name[1], length), (name[0], length)
        if call in ('getsockname', 'getpeername', 'accept4'):
            name, length = self.place(), self.socklen()
            flags = r.choice([0, 0, 0o2004000, 1]) if call == 'accept4' else 0
            return (name[1], length[1], flags), (name[0], length[0], flags)
        if call in ('getsockopt', 'setsockopt'):
            (level, option), value = r.choice(OPTIONS), self.place()
            length = self.socklen() if call == 'getsockopt' else (lambda n: (n, n))(r.choice(LENGTHS))
            return (level, option, value[1], length[1]), (level, option, value[0], length[0])
        if call == 'ioctl':
            request, value = r.choice(IOCTLS), self.place()
            return (request, value[1]), (hex(request), value[0])
        if call in ('sendto', 'recvfrom'):
            data, size, flags = self.place(), r.choice(SIZES), r.choice([0, 0, 2, 0x20])
            name, length = (self.name(port), (lambda n: (n, n))(r.choice(LENGTHS))) if call == 'sendto' else (self.place(), self.socklen())
            return (data[1], size, flags | MSG_DONTWAIT | MSG_NOSIGNAL, name[1], length[1]), (data[0], size, flags, name[0], length[0])
        if call in ('sendmsg', 'recvmsg'):
            at = ('header', self.memory.header) if r.random() < 0.85 else self.place(0)
            parts = self.header(port, self.memory.header, call == 'recvmsg')
            return (at[1], MSG_DONTWAIT | MSG_NOSIGNAL), (at[0], parts)
        if call in ('sendmmsg', 'recvmmsg'):
            parts = [self.header(port, self.memory.header + i * 64, call == 'recvmmsg') for i in range(2)]
            at, count = ('header', self.memory.header) if r.random() < 0.8 else self.place(0), r.choice([0, 1, 2, 2])
            return (at[1], count, MSG_DONTWAIT | MSG_NOSIGNAL, 0), (at[0], count, parts)
        number = r.choice([0, 1, 2, 3, 100, -1, 1 << 31])
        return (number,), (number,)


def taken_port():
    """A UDP and a TCP socket of the same port, which is nobody else's then."""
    while True:
        datagrams, stream = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
        datagrams.bind((LOOPBACK, 0))
        try:
            stream.bind(datagrams.getsockname())
            return datagrams, stream
        except OSError:
            datagrams.close()
            stream.close()


def main(seed, count):
    hammer, sockets = Hammer(seed), Sockets()
    port, stream = taken_port()
    for i in range(count):
        call, kind = hammer.random.choice(list(NUMBERS)), hammer.random.choice(KINDS)
        hammer.memory.fill()
        arguments, words = hammer.arguments(call, port.getsockname()[1])
        if kind in UNCONNECTED and (call in ('recvfrom', 'ioctl') or (call == 'sendto' and words[3] == 'null')):
            continue
        fd = sockets.make(kind)
        result, error = syscall(call, fd, *arguments)
        length = struct.unpack('=I', ctypes.string_at(hammer.memory.length, 4))[0]
        if call == 'accept4' and result >= 0:
            os.close(result)
            result = 'descriptor'
        print(i, call, kind, *words, '=', result, error, length)
        sockets.close()
        while True:
            try:
                port.recv(1 << 16, MSG_DONTWAIT)
            except OSError:
                break


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
