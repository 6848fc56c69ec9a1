using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>What a busy UDP socket costs.</summary>
public class UdpSteadyStateTests : InetFixture
{
    [Theory]
    [InlineData(64)]
    [InlineData(40000)]
    public unsafe void Sending_and_receiving_allocate_nothing(int size)
    {
        TestSocket server = BoundUdp(7000);
        TestSocket client = BoundUdp(7001);
        client.Connect(Localhost, 7000);
        byte[] data = GC.AllocateArray<byte>(size, pinned: true);
        MsgHdr msg = new();
        fixed (byte* at = data)
        {
            Sockptr buffer = Sockptr.Kernel(at);
            Exchange(client.Sock, server.Sock, msg, buffer, size, 200);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exchange(client.Sock, server.Sock, msg, buffer, size, 1000);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    private void Exchange(Socket client, Socket server, MsgHdr msg, Sockptr buffer, int size, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using (Root.Enter())
            {
                msg.Reset(new IovIter(buffer, size), MSG_DONTWAIT);
                Assert.True(client.Ops!.Sendmsg(client, msg, size) == size);
            }

            using (Root.Enter())
            {
                msg.Reset(new IovIter(buffer, size), 0);
                msg.HasName = true;
                Assert.True(server.Ops!.Recvmsg(server, msg, size, MSG_DONTWAIT) == size);
            }
        }
    }
}
