"""Kills a process in each state that its socket can be in, and prints what its peer and the computer see of it."""

import errno
import os
import select
import signal
import socket
import threading
import time

LOOPBACK = '127.0.0.1'
STATES = {
    '01': 'ESTABLISHED', '02': 'SYN_SENT', '03': 'SYN_RECV', '04': 'FIN_WAIT1', '05': 'FIN_WAIT2', '06': 'TIME_WAIT',
    '07': 'CLOSE', '08': 'CLOSE_WAIT', '09': 'LAST_ACK', '0A': 'LISTEN', '0B': 'CLOSING',
}


def listener(backlog=8):
    s = socket.socket()
    s.bind((LOOPBACK, 0))
    s.listen(backlog)
    return s


def name_of(call):
    try:
        return call()
    except OSError as e:
        return errno.errorcode[e.errno]


def victim(play, close):
    """Starts a process that plays its part, says so, and waits to be killed."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        kept = play(lambda text=b'ready': os.write(tell, text))
        while kept is not None:
            time.sleep(60)
        os._exit(1)
    os.close(tell)
    for s in close:
        s.close()
    text = os.read(told, 100)
    os.close(told)
    return pid, text


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def states(port):
    """The states of the sockets that have a port, when they have come to rest."""
    def look():
        with open('/proc/net/tcp') as table:
            fields = [line.split() for line in table.readlines()[1:]]
        hexadecimal = f'{port:04X}'
        return sorted(STATES[f[3]] for f in fields if hexadecimal in (f[1].split(':')[1], f[2].split(':')[1]))

    before, same = look(), 0
    for _ in range(200):
        time.sleep(0.02)
        now = look()
        same = same + 1 if now == before else 0
        if same == 10:
            break
        before = now
    return before


def peer_sees(s):
    s.settimeout(10)
    return name_of(lambda: s.recv(100))


def connected(play, before_kill=lambda peer: None):
    """Kills one end of a connection; prints what the other sees."""
    with listener() as server:
        port = server.getsockname()[1]
        client = socket.create_connection((LOOPBACK, port))
        connection, _ = server.accept()
    pid, text = victim(lambda ready: play(client, connection, ready), [client])
    before_kill(connection)
    kill(pid)
    return port, connection, text


def idle(client, connection, ready):
    connection.close()
    ready()
    return client


def show(title, *what):
    print(f'{title}:', *what, flush=True)


def established():
    port, peer, _ = connected(idle)
    show('established', peer_sees(peer), states(port))
    peer.close()
    show('  and the peer closed', [s for s in states(port) if s != 'TIME_WAIT'])


def unread():
    port, peer, _ = connected(idle, lambda peer: (peer.send(b'unread'), time.sleep(0.2)))
    show('data unread', peer_sees(peer), states(port))
    peer.close()


def unsent():
    def play(client, connection, ready):
        connection.close()
        client.setblocking(False)
        sent = 0
        for _ in range(50):
            try:
                while True:
                    sent += client.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.01)
        ready(str(sent).encode())
        return client

    port, peer, text = connected(play)
    peer.settimeout(10)
    got = 0
    while data := peer.recv(1 << 20):
        got += len(data)
    show('data not taken yet', got == int(text), got > 100000, states(port))
    peer.close()


def half_closed():
    def play(client, connection, ready):
        connection.close()
        client.shutdown(socket.SHUT_WR)
        ready()
        return client

    port, peer, _ = connected(play)
    show('FIN_WAIT2', peer_sees(peer), states(port))
    show('  and the peer writes', name_of(lambda: peer.send(b'x')), states(port), name_of(lambda: peer.send(b'x')))
    peer.close()


def close_wait():
    port, peer, _ = connected(idle, lambda peer: (peer.shutdown(socket.SHUT_WR), time.sleep(0.2)))
    show('CLOSE_WAIT', peer_sees(peer), [s for s in states(port) if s != 'TIME_WAIT'])
    peer.close()


def blocked():
    def play(client, connection, ready):
        connection.close()
        for part in (lambda: client.recv(1), lambda: client.recvmsg(1), lambda: select.select([client], [], [])):
            threading.Thread(target=part, daemon=True).start()
        time.sleep(0.2)
        ready()
        return client

    port, peer, _ = connected(play)
    show('blocked in recv, recvmsg and select', peer_sees(peer), states(port))
    peer.close()


def listening():
    def play(ready):
        s = listener()
        threading.Thread(target=s.accept, daemon=True).start()
        time.sleep(0.1)
        ready(str(s.getsockname()[1]).encode())
        return s

    pid, text = victim(play, [])
    port = int(text)
    kill(pid)
    show('LISTEN', states(port), name_of(lambda: socket.create_connection((LOOPBACK, port))))
    with socket.socket() as s:
        show('  and its port is free', name_of(lambda: s.bind((LOOPBACK, port))))


def not_accepted():
    def play(ready):
        s = listener()
        ready(str(s.getsockname()[1]).encode())
        return s

    pid, text = victim(play, [])
    port = int(text)
    client = socket.create_connection((LOOPBACK, port))
    time.sleep(0.2)
    kill(pid)
    show('a connection that nobody accepted', peer_sees(client), states(port))
    client.close()


def connecting():
    server = listener(0)
    port = server.getsockname()[1]
    first = socket.create_connection((LOOPBACK, port))

    def play(ready):
        server.close()
        first.close()
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((LOOPBACK, port))
        time.sleep(0.2)
        ready()
        return s

    pid, _ = victim(play, [])
    show('SYN_SENT', 'SYN_SENT' in states(port))
    kill(pid)
    show('  and killed', 'SYN_SENT' in states(port))
    server.close()
    first.close()


def datagrams():
    def play(ready):
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.bind((LOOPBACK, 0))
        ready(str(s.getsockname()[1]).encode())
        return s.recv(1)

    pid, text = victim(play, [])
    kill(pid)
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        show('UDP', name_of(lambda: s.bind((LOOPBACK, int(text)))))


def inherited():
    """A connection lives as long as one of the processes that have it."""
    def play(client, connection, ready):
        connection.close()
        if os.fork() == 0:
            client.recv(1)
            client.send(b'still here')
            os._exit(0)
        ready()
        return client

    port, peer, _ = connected(play)
    show('inherited', states(port))
    peer.send(b'x')
    show('  and answered', peer_sees(peer), peer_sees(peer))
    peer.close()


for part in (established, unread, unsent, half_closed, close_wait, blocked, listening, not_accepted, connecting, datagrams, inherited):
    part()
