namespace Linnet.Linux.Tests.Differential;

/// <summary><c>socket()</c> with every family, type, flag and protocol, against the host's kernel.</summary>
public class SocketMatrixTests
{
    private static readonly int[] Flags = [0, SOCK_NONBLOCK, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC, 0x40000000];
    private static readonly int[] Protocols = [-1, 0, 1, 2, 6, 17, 58, 132, 136, 255, 256, 262, 300];

    [Fact]
    public void Every_combination_answers_as_the_host_does()
    {
        using Twin twin = new();
        twin.IsExpected = IsExpected;
        int made = 0;
        for (int family = -2; family <= 60; family++)
        {
            for (int type = 0; type <= 15; type++)
            {
                foreach (int flag in Flags)
                {
                    foreach (int protocol in Protocols)
                        made += Try(twin, family, type | flag, protocol);
                }
            }
        }

        Assert.True(made > 100, "the matrix made hardly any socket");
        twin.AssertSame();
    }

    private static int Try(Twin twin, int family, int type, int protocol)
    {
        twin.Begin("");
        int fd = twin.Socket(family, type, protocol);
        if (fd >= 0 && Exceptions.Families.Contains(family))
        {
            twin.Run("fcntl(F_GETFL)", __NR_fcntl, fd, F_GETFL);
            twin.Run("fcntl(F_GETFD)", __NR_fcntl, fd, F_GETFD);
        }

        if (fd >= 0)
            twin.CloseAll();
        return fd >= 0 ? 1 : 0;
    }

    private static bool IsExpected(Twin.Call call, long real, long linnet)
    {
        if (call.Nr == __NR_socket)
            return Exceptions.IsExpectedSocket((int)call.Arguments[0], (int)call.Arguments[1], (int)call.Arguments[2], linnet);

        // What Linnet did not make has no flags.
        return linnet == -EBADF && real >= 0;
    }
}
