global using static Linnet.Kernel.Uapi.CapabilityH;
global using static Linnet.Kernel.Uapi.Errno;
global using static Linnet.Kernel.Uapi.FcntlH;
global using static Linnet.Kernel.Uapi.IfEtherH;
global using static Linnet.Kernel.Uapi.InH;
global using static Linnet.Kernel.Uapi.PollH;
global using static Linnet.Kernel.Uapi.SocketH;
global using static Linnet.Kernel.Uapi.TcpH;
