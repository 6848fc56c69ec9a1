# What is at a descriptor's number changes, by calls that nobody is asked for; the next call has to go to what is there now.
import ctypes
import errno
import os
import socket
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)

TIMES = 10                                          # often enough for whoever keeps what it learned


def family(fd):
    try:
        s = socket.socket(fileno=os.dup(fd))
        with s:
            return s.family.name, s.type.name
    except OSError as e:
        return errno.errorcode[e.errno]


def name(fd):
    address, length = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    ctypes.set_errno(0)
    if libc.getsockname(fd, address, ctypes.byref(length)) < 0:
        return errno.errorcode[ctypes.get_errno()]
    kind = int.from_bytes(address[:2], sys.byteorder)
    return socket.inet_ntoa(address[4:8]) if kind == socket.AF_INET else kind


def often(what, look, *arguments):
    print(what, sorted({look(*arguments) for _ in range(TIMES)}))


one, two = socket.socket(), socket.socket()
one.bind(('127.0.0.1', 0))
two.bind(('127.0.0.2', 0))
unix, other = socket.socketpair()
number = os.dup(one.fileno())
with open(os.devnull) as file:
    for what, fd in (('one', one.fileno()), ('two', two.fileno()), ('unix', unix.fileno()), ('file', file.fileno()), ('one again', one.fileno())):
        os.dup2(fd, number)
        often(what, name, number)
        often(what, family, number)
os.close(number)
often('closed', name, number)
again = socket.socket()
print('the same number', again.fileno() == number)
often('a new one', name, number)
again.bind(('127.0.0.3', 0))
often('bound', name, number)

# In a child the number means what it meant when it was made, whatever becomes of it here.
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.read(reader, 1)
    result = {name(number) for _ in range(TIMES)} == {'127.0.0.3'}
    os.dup2(two.fileno(), number)
    result &= {name(number) for _ in range(TIMES)} == {'127.0.0.2'}
    os._exit(0 if result else 1)
os.dup2(unix.fileno(), number)
often('in the parent', name, number)
os.write(writer, b'x')
print('child', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

# Whether a call waits is a flag of the open file, which may change as well.
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 0))
tcp = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(tcp.getsockname())
for _ in range(TIMES):
    client.getsockname()
client.setblocking(False)
sent = 0
try:
    while True:
        sent += client.sendmsg([bytes(65536)], [], 0, None)
except BlockingIOError:
    print('does not wait', sent > 0)
server, _ = tcp.accept()
client.setblocking(True)


def read():
    got = 0
    while part := server.recv(1 << 20):
        got += len(part)
    print('all arrived', got == sent + (1 << 22))


thread = threading.Thread(target=read)
thread.start()
client.sendall(bytes(1 << 22))
client.close()
thread.join()
