"""Threads that end before others, children that share memory, and numbers that come again; prints what they see."""
import ctypes
import errno
import os
import signal
import socket
import sys
import threading

LOOPBACK = '127.0.0.1'
libc = ctypes.CDLL(None, use_errno=True)
SYS_EXIT = 60
CLONE_VM, CLONE_VFORK = 0x100, 0x4000


def listener():
    s = socket.socket()
    s.bind((LOOPBACK, 0))
    s.listen()
    return s


def in_child(part):
    """Has a child do it, and prints how it ended."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            part()
        except Exception as error:
            print('FAILED', type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print('  ended', status)


def without_main_thread():
    """The first thread of a process ends by itself, and the others go on; older computers cannot name their descriptors then."""
    if tuple(map(int, os.uname().release.split('.')[:2])) < (6, 9):
        return

    def go():
        main.acquire()
        while 'Z' not in open(f'/proc/self/task/{os.getpid()}/stat').read().rsplit(')', 1)[1]:
            pass
        try:
            talk()
        except Exception as error:
            print('FAILED', type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)

    def talk():
        server = listener()
        print(server.getsockname()[0])
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as connection:
            client.sendall(b'hello')
            print(connection.recvmsg(5, 0, socket.MSG_WAITALL)[0])
            print(client.getpeername() == server.getsockname())
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.bind((LOOPBACK, 0))
            s.sendto(b'datagram', s.getsockname())
            print(s.recvfrom(100)[1] == s.getsockname())
        port = server.getsockname()
        server.close()
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(port)
        s.setblocking(True)
        print(errno.errorcode[s.connect_ex(port)])
        server = listener()
        s.connect(server.getsockname())
        print(s.getpeername() == server.getsockname(), s.send(b'x'))

    main = threading.Lock()
    main.acquire()
    threading.Thread(target=go).start()
    main.release()
    libc.syscall(SYS_EXIT, 0)


def vforked():
    """A child that has its parent's memory, while the parent stands still."""
    s = listener()
    name, length = (ctypes.c_char * 16)(), ctypes.c_int(16)

    # In the parent's interpreter and memory, on a stack of its own: what it is told is there afterwards.
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    def child(_):
        return libc.getsockname(s.fileno(), name, ctypes.byref(length)) + 7

    stack = ctypes.create_string_buffer(1 << 20)
    top = (ctypes.addressof(stack) + (1 << 20)) & ~63
    pid = libc.clone(child, ctypes.c_void_p(top), CLONE_VM | CLONE_VFORK | signal.SIGCHLD, None)
    port = int.from_bytes(bytes(name)[2:4], 'big')
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), length.value, port == s.getsockname()[1])


def executed_by_another_thread():
    """A thread's exec ends the others in their calls; what the next program has in its memory stays."""
    server = listener()
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    datagrams.bind((LOOPBACK, 0))
    for s in (server, datagrams):
        os.set_inheritable(s.fileno(), True)
    ready = threading.Barrier(5)

    def wait(call):
        ready.wait()
        call()

    for call in (server.accept, lambda: datagrams.recvfrom(100), lambda: datagrams.recvmsg(100)):
        threading.Thread(target=wait, args=(call,), daemon=True).start()

    def execute():
        ready.wait()
        port, number = server.getsockname()[1], datagrams.getsockname()[1]
        os.execv(sys.executable, [sys.executable, '-c', f"""
import os, socket
server, datagrams = socket.socket(fileno={server.fileno()}), socket.socket(fileno={datagrams.fileno()})
with socket.create_connection(('{LOOPBACK}', {port})) as client:
    print(server.accept()[1] == client.getsockname())
datagrams.sendto(b'after', datagrams.getsockname())
print(datagrams.recvfrom(100)[0])
"""])

    threading.Thread(target=execute).start()
    ready.wait()
    datagrams.recvfrom(100)


def exit_while_calls_wait():
    server = listener()
    ready = threading.Barrier(3)
    for _ in range(2):
        threading.Thread(target=lambda: (ready.wait(), server.accept()), daemon=True).start()
    ready.wait()
    os._exit(5)


def closed_listeners():
    """Who connects right behind a listener's close is refused."""
    seen = set()
    for _ in range(100):
        server = listener()
        address = server.getsockname()
        server.close()
        with socket.socket() as s:
            seen.add(errno.errorcode.get(s.connect_ex(address)))
    print(seen)


def numbers_that_come_again():
    """A process that is killed, and another one with its number at once, where the computer lets that be asked for."""
    last = '/proc/sys/kernel/ns_last_pid'
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            s = listener()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        try:
            with open(last, 'w') as file:
                file.write(str(pid - 1))
        except OSError:
            # It is root's.
            pass
        again = os.fork()
        if again == 0:
            with listener() as server, socket.create_connection(server.getsockname()) as client, server.accept()[0]:
                os._exit(0 if client.getpeername() == server.getsockname() else 3)
        if status := os.waitpid(again, 0)[1]:
            print('FAILED', status)
    print('all there')


parts = [without_main_thread, vforked, executed_by_another_thread, exit_while_calls_wait, closed_listeners, numbers_that_come_again]
for part in parts:
    if len(sys.argv) > 1 and part.__name__ not in sys.argv[1:]:
        continue
    print('==', part.__name__)
    in_child(part)
