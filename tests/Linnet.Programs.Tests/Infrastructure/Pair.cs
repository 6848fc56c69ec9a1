namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>Labs of two hosts on one link: <c>server</c>, 10.0.0.1, and <c>client</c>, 10.0.0.2, whose end is the lab's.</summary>
internal static class Pair
{
    // Programs that take one connection only cannot be tried by connecting: the server says by this port that they are up.
    private const string Functions = """
        tcp_listens() { grep -q "$(printf ':%04X 00000000:0000 0A' "$1")" /proc/net/tcp; }
        udp_is_bound() { grep -q "$(printf ':%04X ' "$1")" /proc/net/udp; }
        until_tcp() { for port in "$@"; do until tcp_listens $port; do sleep 0.02; done; done; }
        until_udp() { for port in "$@"; do until udp_is_bound $port; do sleep 0.02; done; done; }
        ready() { exec nc -lk 1 > /dev/null; }
        status() { "$@"; echo "= $?"; }

        """;

    /// <summary>Runs the server's script until it says <c>ready</c>, and the client's to its end.</summary>
    /// <param name="lab">Whose folder the scripts start in.</param>
    /// <param name="server">A shell script.</param>
    /// <param name="client">A shell script; the test fails where it does.</param>
    /// <param name="link">What happens on each cable, in netem's words.</param>
    /// <returns>What both printed.</returns>
    public static async Task<LabOutcome> PairAsync(this RealLab lab, string server, string client, string link = "")
    {
        LabOutcome outcome = await lab.UpAsync($$"""
            networks:
              lan:
                link: '{{link}}'
            hosts:
              server:
                run: {{lab.Script("server", $"{Functions}{server}\nready")}}
              client:
                wait_for: ['server:1']
                run: {{lab.Script("client", $"{Functions}{client}")}}
            """);
        return outcome.Succeeded();
    }
}
