using System.Text.RegularExpressions;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Trace;
using Mono.Cecil;

namespace Linnet.Kernel.Tests.Trace;

/// <summary>The map "Linux symbol, here" is true and follows its rules (docs/symbols.md).</summary>
public partial class SymbolTests
{
    // Where the files of a folder of Linux's tree are at home here; the longest prefix counts.
    private static readonly (string Linux, string[] Here)[] Homes =
    [
        ("arch/", ["Arch/X86", "Kernel"]),
        ("drivers/", ["Drivers"]),
        ("fs/", ["Fs"]),
        ("init/", ["Init"]),
        ("include/", ["Kernel", "Fs", "Security", "Net", "Net/Core", "Net/Ipv4", "Net/Ipv4/Tcp", "Net/Ethernet", "Net/Sched", "Uapi"]),
        ("ipc/", ["Kernel"]),
        ("kernel/", ["Kernel"]),
        ("kernel/sys.c", ["Kernel", "Fs"]),
        ("lib/", ["Kernel", "Net/Core", "Net/Ipv4/Tcp"]),
        ("mm/", ["Kernel"]),
        ("net/", ["Net"]),
        ("net/8021q/", ["Net/Vlan"]),
        ("net/bridge/", ["Net/Bridge"]),
        ("net/core/", ["Net/Core"]),
        ("net/ethernet/", ["Net/Ethernet"]),
        ("net/ipv4/", ["Net/Ipv4"]),
        ("net/ipv4/tcp", ["Net/Ipv4/Tcp", "Net/Ipv4"]),
        ("net/ipv4/inet_connection_sock.c", ["Net/Ipv4", "Net/Ipv4/Tcp"]),
        ("net/ipv4/inet_hashtables.c", ["Net/Ipv4", "Net/Ipv4/Tcp"]),
        ("net/ipv4/inet_timewait_sock.c", ["Net/Ipv4", "Net/Ipv4/Tcp"]),
        ("net/ipv4/syncookies.c", ["Net/Ipv4", "Net/Ipv4/Tcp"]),
        ("net/netlink/", ["Net/Netlink"]),
        ("lib/nlattr.c", ["Net/Netlink"]),
        ("net/core/rtnetlink.c", ["Net/Netlink"]),
        ("net/core/sock_diag.c", ["Net/Netlink"]),
        ("net/packet/", ["Net/Packet"]),
        ("net/sched/", ["Net/Sched", "Net/Core"]),
        ("net/netfilter/", ["Net/Netfilter"]),
        ("net/unix/", ["Net/Unix"]),
        ("security/", ["Security"]),
    ];

    [Fact]
    public void Methods_are_named_after_their_symbols()
    {
        using ModuleDefinition module = ModuleDefinition.ReadModule(typeof(Machine).Assembly.Location);
        List<string> wrong = [];
        foreach (MethodDefinition method in module.GetTypes().SelectMany(t => t.Methods))
        {
            CustomAttribute? linux = method.CustomAttributes.FirstOrDefault(a => a.AttributeType.Name == nameof(LinuxAttribute));
            if (linux?.ConstructorArguments[0].Value is string symbol && !IsNamedAfter(method, symbol))
                wrong.Add($"{method.DeclaringType.FullName}.{method.Name} is not how {symbol} is named here");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Files_are_where_Linux_has_them()
    {
        string root = Repository.PathOf("src", "Linnet.Kernel");
        List<string> wrong = [];
        foreach (string path in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories))
        {
            string folder = Path.GetRelativePath(root, Path.GetDirectoryName(path)!);
            foreach (Match match in LinuxFile().Matches(System.IO.File.ReadAllText(path)))
            {
                string file = match.Groups[1].Value;
                string[]? homes = Homes.Where(h => file.StartsWith(h.Linux, StringComparison.Ordinal))
                    .MaxBy(h => h.Linux.Length).Here;
                if (homes == null || !homes.Contains(folder))
                    wrong.Add($"{Path.GetRelativePath(root, path)} holds {file}, which is at home in {string.Join(" or ", homes ?? [])}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void The_page_of_the_map_is_up_to_date()
    {
        string page = System.IO.File.ReadAllText(Repository.PathOf("docs", "symbols.md"));
        Assert.True(page == SymbolMap.Markdown(), "docs/symbols.md is stale: run ./linnet symbols > docs/symbols.md");
    }

    [Fact]
    public void A_symbol_is_in_one_place()
    {
        IEnumerable<string> twice = TracePoint.All.Where(p => p.IsTraced)
            .GroupBy(p => (p.Symbol, p.File))
            .Where(g => g.Select(p => (p.Type, p.Method)).Distinct().Count() > 1)
            .Select(g => $"{g.Key}: {string.Join(", ", g.Select(p => $"{p.Type}.{p.Method}"))}");
        Assert.Empty(twice);
    }

    [Fact]
    public void The_map_knows_source_and_parameters()
    {
        TracePoint point = TracePoint.All.Single(p => p.Symbol == "try_module_get");
        Assert.Equal(("Linnet.Kernel.Module", "TryModuleGet", "Kernel/Module.cs"), (point.Type, point.Method, point.SourceFile));
        Assert.True(point.SourceLine > 0);
        Assert.Equal(new TraceParameter("module", "Module", TraceDirection.In), Assert.Single(point.Parameters));
        Assert.Equal("bool", point.Result.Type);
    }

    [Theory]
    [InlineData("__sys_socket", "SysSocket")]
    [InlineData("tcp_v4_do_rcv", "TcpV4DoRcv")]
    [InlineData("inet_create", "InetCreate")]
    public void Pascal_case(string symbol, string name) => Assert.Equal(name, Pascal(symbol));

    // The rule: the symbol in Pascal case without its leading underscores, or that with "Core" where both a function and
    // its inner one exist, or with "Locked" where the caller has to hold the lock. A method of the struct that a function is
    // about leaves out what the type says already (skb_clone is SkBuff.Clone), and so does a slot of an operations table
    // (sock_no_bind is ProtoOps.Bind), whose overrides are named as the slot is. The entry of a system call's own,
    // SYSCALL_DEFINEn, has the call's name without __x64_sys_. A class that is one function needs no name twice.
    private static bool IsNamedAfter(MethodDefinition method, string symbol)
    {
        string pascal = Pascal(symbol);
        string[] names = [pascal, pascal + "Core", pascal + "Locked"];
        if (names.Contains(method.Name, StringComparer.OrdinalIgnoreCase) || method.DeclaringType.Name == pascal)
            return true;
        if (symbol.StartsWith("__x64_sys_", StringComparison.Ordinal))
            return method.Name == Pascal(symbol["__x64_sys_".Length..]);
        if (method.IsVirtual && !method.IsNewSlot)
            return true;
        bool isOfStruct = !method.IsStatic && method.DeclaringType.CustomAttributes.Any(a => a.AttributeType.Name == nameof(LinuxStructAttribute));
        return (isOfStruct || method.IsVirtual) && pascal.EndsWith(method.Name, StringComparison.Ordinal);
    }

    private static string Pascal(string symbol) =>
        string.Concat(symbol.Split('_', StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));

    [GeneratedRegex(@"\[LinuxFile\(""([^""]+)""\)\]")]
    private static partial Regex LinuxFile();
}
