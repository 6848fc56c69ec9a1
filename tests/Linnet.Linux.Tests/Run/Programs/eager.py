"""Connects without waiting, and writes at the moment when each connection can be written to; every byte has to come back."""
import select
import socket
import sys

HOST, PORT, ROUNDS, AT_ONCE, SIZE = sys.argv[1], 7, 10, 50, 500


def run():
    """Gives how many connections got back what they sent."""
    poll = select.epoll()
    connections, received = {}, {}
    for _ in range(AT_ONCE):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((HOST, PORT))
        connections[s.fileno()] = s
        poll.register(s, select.EPOLLOUT)
    complete = 0
    while complete < AT_ONCE and (ready := poll.poll(3)):
        for fd, _ in ready:
            if fd not in received:
                received[fd] = 0
                connections[fd].send(b"x" * SIZE)
                poll.modify(fd, select.EPOLLIN)
                continue
            received[fd] += len(connections[fd].recv(SIZE))
            if received[fd] == SIZE:
                complete += 1
                poll.unregister(fd)
    for s in connections.values():
        s.close()
    return complete


print(sum(run() for _ in range(ROUNDS)), "of", ROUNDS * AT_ONCE, "came back")
