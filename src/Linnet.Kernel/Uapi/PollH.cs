namespace Linnet.Kernel.Uapi;

/// <summary>
/// Readiness masks of poll and the operations of epoll (asm-generic/poll.h, linux/eventpoll.h).
/// </summary>
public static class PollH
{
    public const int POLLIN = 1;
    public const int POLLPRI = 2;
    public const int POLLOUT = 4;
    public const int POLLERR = 8;
    public const int POLLHUP = 0x10;
    public const int POLLNVAL = 0x20;
    public const int POLLRDNORM = 0x40;
    public const int POLLRDBAND = 0x80;
    public const int POLLWRNORM = 0x100;
    public const int POLLWRBAND = 0x200;
    public const int POLLMSG = 0x400;
    public const int POLLREMOVE = 0x1000;
    public const int POLLRDHUP = 0x2000;
    public const int POLLFREE = 0x4000;
    public const int POLL_BUSY_LOOP = 0x8000;

    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const int EPOLL_CTL_MOD = 3;
    public const int EPOLL_URING_WAKE = 0x8000000;

    public const int EPOLLIN = 1;
    public const int EPOLLPRI = 2;
    public const int EPOLLOUT = 4;
    public const int EPOLLERR = 8;
    public const int EPOLLHUP = 0x10;
    public const int EPOLLNVAL = 0x20;
    public const int EPOLLRDNORM = 0x40;
    public const int EPOLLRDBAND = 0x80;
    public const int EPOLLWRNORM = 0x100;
    public const int EPOLLWRBAND = 0x200;
    public const int EPOLLMSG = 0x400;
    public const int EPOLLRDHUP = 0x2000;
    public const int EPOLLEXCLUSIVE = 0x10000000;
    public const int EPOLLWAKEUP = 0x20000000;
    public const int EPOLLONESHOT = 0x40000000;
    public const uint EPOLLET = 0x80000000;
    public const int EPIOCSPARAMS = 0x40088a01;
    public const uint EPIOCGPARAMS = 0x80088a02;
}
