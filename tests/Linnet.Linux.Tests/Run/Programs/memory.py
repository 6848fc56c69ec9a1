# Calls whose memory ends at a page, straddles two, cannot be written, or changes between calls.
import ctypes
import errno
import mmap
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
PAGE = mmap.PAGESIZE
READ, WRITE = 1, 2


def pages(*protections):
    base = libc.mmap(None, len(protections) * PAGE, READ | WRITE, 0x22, -1, 0)
    for i, protection in enumerate(protections):
        libc.mprotect(ctypes.c_void_p(base + i * PAGE), PAGE, protection)
    return base


def poke(address, data):
    ctypes.memmove(address, data, len(data))


def peek(address, count):
    return ctypes.string_at(address, count)


def call(what, function, *arguments):
    ctypes.set_errno(0)
    result = function(*[ctypes.c_void_p(a) if isinstance(a, int) and a > 1 << 31 else a for a in arguments])
    print(what, result, errno.errorcode.get(ctypes.get_errno()))


tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 0))
port = udp.getsockname()[1]
address = struct.pack('=HHBBBB8x', socket.AF_INET, socket.htons(port), 127, 0, 0, 1)

last = pages(READ | WRITE, 0)                       # a page, and none behind it
both = pages(READ | WRITE, READ | WRITE)
half = pages(READ | WRITE, READ)                    # the second one cannot be written
fixed = pages(READ)

for value in (1, 0, 1):
    end = last + PAGE - 4
    poke(end, struct.pack('=i', value))
    call('option at the end', libc.setsockopt, tcp.fileno(), socket.SOL_SOCKET, socket.SO_KEEPALIVE, end, 4)
    print(tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
call('option beyond the end', libc.setsockopt, tcp.fileno(), socket.SOL_SOCKET, socket.SO_KEEPALIVE, last + PAGE - 2, 4)

for where in (last + PAGE - 16, both + PAGE - 7):
    poke(where, address)
    poke(both, b'datagram')
    call('address', libc.sendto, udp.fileno(), both, 8, 0, where, 16)
    print(udp.recv(100))
poke(last + PAGE - 12, address[:12])
call('address beyond the end', libc.sendto, udp.fileno(), both, 8, 0, last + PAGE - 12, 16)

length = both + 64
for name in (both + 128, both + PAGE - 9, last + PAGE - 16):
    poke(length, struct.pack('=I', 128 if name != last + PAGE - 16 else 16))
    call('name', libc.getsockname, udp.fileno(), name, length)
    print(peek(name, 16) == address, struct.unpack('=I', peek(length, 4)))
for name, kept in ((last + PAGE - 12, length), (half + PAGE - 8, length), (fixed, length), (both, fixed), (8, length)):
    poke(length, struct.pack('=I', 128))
    call('name that cannot be written', libc.getsockname, udp.fileno(), ctypes.c_void_p(name), kept)
    call('option that cannot be written', libc.getsockopt, udp.fileno(), socket.SOL_SOCKET, socket.SO_TYPE, ctypes.c_void_p(name), kept)

# What would be written is there already: it still has to be possible to write it.
kept = pages(READ | WRITE, READ | WRITE)
for writable in (True, True, False):
    poke(kept, struct.pack('=I', 16))
    if not writable:
        libc.mprotect(ctypes.c_void_p(kept), PAGE, READ)
    for name in (kept + 64, kept + PAGE + 64, kept + PAGE - 8, both + 128):
        call('the same once more', libc.getsockname, udp.fileno(), name, kept)
        print(peek(kept, 4).hex())
    libc.mprotect(ctypes.c_void_p(kept), PAGE, READ | WRITE)

# The name's length lies where the name is written.
poke(both, struct.pack('=I', 16))
call('name over its length', libc.getsockname, udp.fileno(), both, both)
print(peek(both, 16).hex() in (address.hex(), (struct.pack('=I', 16) + address[4:]).hex()))

udp.settimeout(0)
for name, data in ((both + 128, both + 256), (fixed, both + 256), (both + 128, fixed), (half + PAGE - 8, both + 256)):
    udp.sendto(b'from here', ('127.0.0.1', port))
    poke(both + 256, bytes(16))
    poke(length, struct.pack('=I', 16))
    call('received', libc.recvfrom, udp.fileno(), data, 16, 0, name, length)
    print(peek(both + 256, 9))
    try:
        print('again', udp.recv(16))
    except BlockingIOError:
        print('no more')
