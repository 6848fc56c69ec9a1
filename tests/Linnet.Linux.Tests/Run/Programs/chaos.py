"""
Threads that make socket calls with bad pointers, while others take away, protect and change the memory of these calls, close their
descriptors and send signals. The seed is the first argument, how many calls each thread makes the second.
"""
import ctypes
import os
import random
import signal
import socket
import sys
import threading

from hammer import Hammer, KINDS, LOOPBACK, NUMBERS, PAGE, READ, WRITE, Sockets, libc, syscall

ALLOWED = {
    None, 'EFAULT', 'EINVAL', 'EBADF', 'ENOTSOCK', 'ENOTCONN', 'EISCONN', 'EAGAIN', 'EMSGSIZE', 'EADDRINUSE', 'EADDRNOTAVAIL',
    'EAFNOSUPPORT', 'ECONNREFUSED', 'ECONNRESET', 'EDESTADDRREQ', 'EDOM', 'EINPROGRESS', 'EALREADY', 'EINTR', 'ENOBUFS', 'ENODEV',
    'ENOENT', 'ENOPROTOOPT', 'ENOTSUP', 'ENOTTY', 'EPERM', 'EPIPE', 'EPROTO', 'ENETUNREACH', 'ENXIO', 'EACCES',
}


def hit(hammer, seed, count, port, wrong):
    sockets = Sockets()
    for _ in range(count):
        call, kind = hammer.random.choice(list(NUMBERS)), hammer.random.choice(KINDS)
        try:
            hammer.memory.fill()
            arguments, _ = hammer.arguments(call, port)
            result, error = syscall(call, sockets.make(kind), *arguments)
        except OSError:
            # Its descriptor, or the one that it needed, was taken away.
            result, error = -1, None
        if call == 'accept4' and result >= 0:
            os.close(result)
        if error not in ALLOWED:
            wrong.append((call, kind, error))
        sockets.close()


def disturb(seed, hammers, over):
    """Changes what calls point to while they are made."""
    r = random.Random(seed)
    while not over.is_set():
        memory = r.choice(hammers).memory
        memory.protect(r.choice([2, 3, 6]), r.choice([0, READ, READ | WRITE]))
        for at in (memory.header, memory.vector, memory.length):
            ctypes.memmove(at + r.randrange(0, 120), r.randbytes(8), 8)
        taken = memory.base + 8 * PAGE
        libc.mmap(ctypes.c_void_p(taken), PAGE, READ | WRITE, 0x32, -1, 0)
        libc.munmap(ctypes.c_void_p(taken), PAGE)
        over.wait(0.0001)


def main(seed, count):
    libc.mmap.restype = ctypes.c_void_p
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, False)
    port = socket.socket(type=socket.SOCK_DGRAM)
    port.bind((LOOPBACK, 0))
    hammers = [Hammer(seed * 100 + i) for i in range(4)]
    wrong, over = [], threading.Event()
    threads = [threading.Thread(target=hit, args=(hammer, seed, count, port.getsockname()[1], wrong)) for hammer in hammers]
    disturbing = threading.Thread(target=disturb, args=(seed, hammers, over))
    for thread in (*threads, disturbing):
        thread.start()
    while alive := [thread for thread in threads if thread.is_alive()]:
        for thread in alive:
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
        alive[0].join(0.005)
    over.set()
    disturbing.join()
    print('wrong', wrong)


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
