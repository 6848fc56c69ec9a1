namespace Linnet.Packetdrill.Commands;

/// <summary><c>tc qdisc</c>, as <see cref="Tc"/> has it.</summary>
internal static class TcCommand
{
    public static int Run(CommandCall call)
    {
        TcResult result = Tc.Run(call.Host.Net, call.Arguments);
        call.Streams.Output.Append(result.Output);
        call.Streams.Error.Append(result.Error);
        return result.ExitStatus;
    }
}
