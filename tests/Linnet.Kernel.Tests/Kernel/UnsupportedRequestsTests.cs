using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Kernel;

/// <summary>What programs asked for in vain is counted by what it was, and by who asked.</summary>
public class UnsupportedRequestsTests : SocketFixture
{
    private const int NoFamily = 41;

    [Fact]
    public void Requests_are_counted_for_the_program_that_made_them()
    {
        TaskStruct other = NewTask(comm: "other");
        Assert.Equal(-EAFNOSUPPORT, Call(__NR_socket, NoFamily, SOCK_STREAM, 0));
        Assert.Equal(-EAFNOSUPPORT, CallAs(other, __NR_socket, NoFamily, SOCK_STREAM, 0));
        Assert.Equal(-EAFNOSUPPORT, CallAs(other, __NR_socket, NoFamily, SOCK_STREAM, 0));
        string host = Task.Nsproxy.UtsNs.NodeName;
        Assert.Equal(
            [("other", host, RequestKind.Family, NoFamily, 2L), ("test", host, RequestKind.Family, NoFamily, 1L)],
            Machine.Unsupported.ByAsker().Select(e => (e.Asker.Program!, e.Asker.Host!, e.Request.Kind, (int)e.Request.First, e.Count)));
        Assert.Equal(3, Assert.Single(Machine.Unsupported.Snapshot()).Count);
        Assert.Equal(3, Machine.Unsupported.CountOf(RequestKind.Family, NoFamily));
    }

    [Fact]
    public void A_thread_can_ask_for_another_task()
    {
        TaskStruct other = NewTask(comm: "other");
        using (UnsupportedRequests.ActFor(other))
            Call(__NR_socket, NoFamily, SOCK_STREAM, 0);
        Call(__NR_socket, NoFamily, SOCK_STREAM, 0);
        Assert.Equal(["other", "test"], Machine.Unsupported.ByAsker().Select(e => e.Asker.Program));
    }
}
