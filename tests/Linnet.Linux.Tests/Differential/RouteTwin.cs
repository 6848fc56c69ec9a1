using System.Globalization;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// A namespace of the host and a host of Linnet's that get the same commands of <c>ip</c>: three pairs of Ethernet devices,
/// a0 to a2 with the addresses 10.10.0.1/24 to 10.10.2.1/24.
/// </summary>
internal sealed class RouteTwin : IDisposable
{
    private readonly HostNamespace kernel = HostNamespace.CreateOrSkip();
    private readonly Network network = Network.Simulate();
    private readonly Host linnet;

    public RouteTwin()
    {
        linnet = network.AddHost("linnet");
        List<string> commands = [];
        for (int i = 0; i < 3; i++)
        {
            commands.AddRange(
            [
                $"link add b{i} type veth peer name a{i}", $"link set b{i} up", $"link set a{i} up", $"addr add 10.10.{i}.1/24 dev a{i}",
            ]);
        }

        foreach ((string command, string kernelSays, string linnetSays) in Run(commands))
            Assert.True(kernelSays.Length == 0 && linnetSays.Length == 0, $"{command}: {kernelSays} {linnetSays}");
        // A namespace begins with settings of its parent.
        foreach (string dev in (string[])["all", "default", "lo", "a0", "a1", "a2", "b0", "b1", "b2"])
        {
            foreach ((string setting, int value) in ((string, int)[])[("rp_filter", 0), ("accept_local", 0), ("route_localnet", 0), ("forwarding", 0)])
                Sysctl($"net.ipv4.conf.{dev}.{setting}", value);
        }
    }

    /// <summary>Gives both a setting.</summary>
    public void Sysctl(string path, int value)
    {
        kernel.Run("sysctl", "-q", "-w", string.Create(CultureInfo.InvariantCulture, $"{path}={value}")).ThrowIfFailed();
        linnet.SetSysctl(path, value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Carries out commands on both.</summary>
    /// <returns>For each what it printed, each record on a line, or its complaint behind an exclamation mark.</returns>
    public List<(string Command, string Kernel, string Linnet)> Run(IReadOnlyList<string> commands)
    {
        string[] kernelSays = RunOnKernel(commands);
        return [.. commands.Select((command, i) => (command, kernelSays[i], RunOnLinnet(command)))];
    }

    public void Dispose()
    {
        network.Dispose();
        kernel.Dispose();
    }

    private string RunOnLinnet(string command)
    {
        IpResult result = IpCommand.Run(linnet.Namespace, "-4 -o " + command);
        return result.Succeeded ? result.Output : "!" + result.Error;
    }

    // One process for many. A command that prints a line of its own separates the outputs of the others. Where the words make
    // no sense, ip ends, and another one goes on behind them.
    private string[] RunOnKernel(IReadOnlyList<string> commands)
    {
        List<string> said = [];
        while (said.Count < commands.Count)
        {
            string[] left = [.. commands.Skip(said.Count)];
            string file = Path.GetTempFileName();
            try
            {
                File.WriteAllLines(file, left.SelectMany(command => new[] { command, "link show lo" }));
                HostNamespace.Result result = kernel.Run("ip", "-4", "-o", "-force", "-batch", file);
                string[] complaints = Complaints(result.Errors, file, left.Length);
                string[] outputs = Outputs(result.Output);
                for (int i = 0; i < outputs.Length; i++)
                    said.Add(complaints[i].Length > 0 ? "!" + complaints[i] : outputs[i]);
                if (outputs.Length < left.Length)
                    said.Add("!" + result.Errors.TrimEnd('\n').Split('\n')[^1]);
            }
            finally
            {
                File.Delete(file);
            }
        }

        return [.. said];
    }

    private static string[] Outputs(string output)
    {
        List<string> outputs = [];
        string printed = "";
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("1: lo: <", StringComparison.Ordinal))
            {
                outputs.Add(printed);
                printed = "";
            }
            else
            {
                printed += line + "\n";
            }
        }

        return [.. outputs];
    }

    private static string[] Complaints(string errors, string file, int count)
    {
        string[] complaints = new string[count];
        Array.Fill(complaints, "");
        string said = "";
        foreach (string line in errors.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!line.StartsWith($"Command failed {file}:", StringComparison.Ordinal))
            {
                said = line;
                continue;
            }

            int number = int.Parse(line.AsSpan(line.LastIndexOf(':') + 1), CultureInfo.InvariantCulture);
            complaints[(number - 1) / 2] = said;
            said = "";
        }

        return complaints;
    }
}
