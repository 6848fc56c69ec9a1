using Linnet.Cli.Run;

namespace Linnet.Cli.Lab;

/// <summary>Whether a lab could be run; nothing of it is.</summary>
internal static class LabCheck
{
    /// <summary>Finds what reading alone does not: routes and addresses that do not fit, and a policy that is none.</summary>
    /// <exception cref="UsageException">There is something.</exception>
    public static void Check(LabFile lab, CommonOptions options)
    {
        using Network network = Network.Simulate();
        _ = new LabNet(network, lab);
        if (options.Policy != null)
            PolicyFile.Read(options.Policy);
    }

    /// <summary>What it has, in a line.</summary>
    public static string Describe(LabFile lab) =>
        $"{Count(lab.Networks.Count, "network")}, {Count(lab.Hosts.Count, "host")}, "
            + $"{Count(lab.Hosts.Count(host => host.Run.Count > 0), "program")}; it ends with that of {lab.Main}";

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
