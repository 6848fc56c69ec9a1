using System.Buffers.Binary;
using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Drivers;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// A TUN or TAP device of the host: what the host sends by it comes in on a device of Linnet, and the other way round, so
/// that the host kernel's own TCP speaks to Linnet's. The device is gone when this object is disposed.
/// </summary>
/// <remarks>Needs <c>CAP_NET_ADMIN</c> in the host's current network namespace, and <c>/dev/net/tun</c>.</remarks>
public sealed unsafe class HostTun : IDisposable
{
    private const nuint TUNSETIFF = 0x400454CA;
    private const nuint SIOCGIFFLAGS = 0x8913;
    private const nuint SIOCSIFFLAGS = 0x8914;
    private const nuint SIOCSIFADDR = 0x8916;
    private const nuint SIOCSIFNETMASK = 0x891C;
    private const nuint SIOCSIFMTU = 0x8922;
    private const short IFF_TUN = 1;
    private const short IFF_TAP = 2;
    private const short IFF_NO_PI = 0x1000;
    private const short IFF_UP = 1;
    private const int IfreqSize = 40;
    private const int NameSize = 16;
    private const int LargestFrame = 65536 + 18;

    private readonly int fd;
    private readonly int stopFd;
    private Tun? peer;
    private Thread? reader;
    private long dropped;

    // One for the open device, one for each packet that is being written to it.
    private int users = 1;
    private bool disposed;

    private HostTun(int fd, int stopFd, string name, bool tap)
    {
        this.fd = fd;
        this.stopFd = stopFd;
        Name = name;
        IsTap = tap;
    }

    /// <summary>The device's name on the host.</summary>
    public string Name { get; }

    /// <summary>Whether it carries Ethernet frames rather than IP packets.</summary>
    public bool IsTap { get; }

    /// <summary>Frames that the host did not take.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Makes a device on the host; it is down and has no address.</summary>
    /// <param name="name">Its name, at most 15 bytes; a <c>%d</c> becomes the lowest free number.</param>
    /// <param name="tap">Whether it carries Ethernet frames rather than IP packets.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="Win32Exception">The host refused; the message says what was tried, and why it failed.</exception>
    public static HostTun Create(string name, bool tap)
    {
        if (name.Length == 0 || Encoding.UTF8.GetByteCount(name) >= NameSize)
            throw new ArgumentException($"'{name}' cannot name a network device: 1 to {NameSize - 1} bytes are allowed.", nameof(name));
        int fd = Open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            throw Failure("open /dev/net/tun");
        byte* request = stackalloc byte[IfreqSize];
        Fill(request, name, BitConverter.GetBytes((short)((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI)));
        if (Ioctl(fd, TUNSETIFF, request) < 0)
        {
            Win32Exception failure = Failure($"make the {(tap ? "TAP" : "TUN")} device '{name}'");
            _ = Close(fd);
            throw failure;
        }

        string given = Marshal.PtrToStringUTF8((nint)request)!;
        int stopFd = EventFd(0, O_CLOEXEC);
        if (stopFd < 0)
        {
            Win32Exception failure = Failure("make an eventfd");
            _ = Close(fd);
            throw failure;
        }

        return new HostTun(fd, stopFd, given, tap);
    }

    /// <summary>Gives the host's end an IPv4 address and brings it up.</summary>
    /// <param name="address">The address.</param>
    /// <param name="prefixLength">0 to 32 bits.</param>
    /// <param name="mtu">Largest packet in bytes, or null to keep the device's.</param>
    /// <exception cref="Win32Exception">The host refused.</exception>
    public void Configure(IPAddress address, int prefixLength, int? mtu = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual((int)address.AddressFamily, (int)AddressFamily.InterNetwork);
        ArgumentOutOfRangeException.ThrowIfNegative(prefixLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(prefixLength, 32);
        int control = Socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (control < 0)
            throw Failure("make a control socket");
        try
        {
            uint mask = prefixLength == 0 ? 0 : uint.MaxValue << (32 - prefixLength);
            Control(control, SIOCSIFADDR, Sockaddr(address.GetAddressBytes()), $"give '{Name}' the address {address}");
            byte[] maskBytes = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(maskBytes, mask);
            Control(control, SIOCSIFNETMASK, Sockaddr(maskBytes), $"set the netmask of '{Name}'");
            if (mtu is { } bytes)
                Control(control, SIOCSIFMTU, BitConverter.GetBytes(bytes), $"set the MTU of '{Name}'");
            short flags = BitConverter.ToInt16(Control(control, SIOCGIFFLAGS, [], $"read the flags of '{Name}'"), NameSize);
            Control(control, SIOCSIFFLAGS, BitConverter.GetBytes((short)(flags | IFF_UP)), $"bring '{Name}' up");
        }
        finally
        {
            _ = Close(control);
        }
    }

    /// <summary>Wires the host's device to one of Linnet's, of the same kind, and begins to pass packets both ways.</summary>
    /// <param name="device">Linnet's end.</param>
    public void Attach(Tun device)
    {
        if (peer != null)
            throw new InvalidOperationException($"'{Name}' is attached already.");
        peer = device;
        device.Transmit = Send;
        reader = new Thread(ReadLoop) { Name = $"tun {Name}", IsBackground = true };
        reader.Start();
    }

    /// <summary>Detaches Linnet's end and removes the device from the host.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        if (peer != null)
            peer.Transmit = null;
        ulong one = 1;
        _ = Write(stopFd, (byte*)&one, sizeof(ulong));
        reader?.Join();
        _ = Close(stopFd);
        Leave();
    }

    private void Send(ReadOnlySpan<byte> frame)
    {
        if (!TryUse())
            return;
        fixed (byte* bytes = frame)
        {
            if (Write(fd, bytes, (nuint)frame.Length) < 0)
                Interlocked.Increment(ref dropped);
        }

        Leave();
    }

    // A packet on its way while the device is disposed must not be written to whatever gets the descriptor's number next.
    private bool TryUse()
    {
        int seen;
        do
            seen = Volatile.Read(ref users);
        while (seen != 0 && Interlocked.CompareExchange(ref users, seen + 1, seen) != seen);
        return seen != 0;
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref users) == 0)
            _ = Close(fd);
    }

    private void ReadLoop()
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(LargestFrame, pinned: true);
        PollFd* fds = stackalloc PollFd[2];
        fds[0] = new PollFd { Fd = fd, Events = POLLIN };
        fds[1] = new PollFd { Fd = stopFd, Events = POLLIN };
        fixed (byte* bytes = buffer)
        {
            while (true)
            {
                nint n = Read(fd, bytes, (nuint)buffer.Length);
                if (n > 0)
                {
                    // What Linnet does not take, it has counted.
                    _ = peer!.Receive(buffer.AsSpan(0, (int)n));
                    continue;
                }

                int error = Marshal.GetLastPInvokeError();
                if (n < 0 && error is not (EAGAIN or EINTR))
                    return;
                _ = Poll(fds, 2, -1);
                if (fds[1].Revents != 0)
                    return;
            }
        }
    }

    private byte[] Control(int control, nuint request, ReadOnlySpan<byte> value, string action)
    {
        byte* ifreq = stackalloc byte[IfreqSize];
        Fill(ifreq, Name, value);
        if (Ioctl(control, request, ifreq) < 0)
            throw Failure(action);
        return new ReadOnlySpan<byte>(ifreq, IfreqSize).ToArray();
    }

    private static void Fill(byte* ifreq, string name, ReadOnlySpan<byte> value)
    {
        Span<byte> bytes = new(ifreq, IfreqSize);
        bytes.Clear();
        Encoding.UTF8.GetBytes(name, bytes);
        value.CopyTo(bytes[NameSize..]);
    }

    private static byte[] Sockaddr(ReadOnlySpan<byte> address)
    {
        byte[] bytes = new byte[16];
        bytes[0] = AF_INET;
        address.CopyTo(bytes.AsSpan(4));
        return bytes;
    }

    private static Win32Exception Failure(string action)
    {
        int error = Marshal.GetLastPInvokeError();
        return new Win32Exception(error, $"Could not {action}: {Marshal.GetPInvokeErrorMessage(error)}.");
    }
}
