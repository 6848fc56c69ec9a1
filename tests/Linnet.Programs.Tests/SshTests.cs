namespace Linnet.Programs.Tests;

/// <summary>ssh, scp and sftp to sshd, with keys of the test's own.</summary>
public sealed class SshTests : IDisposable
{
    private readonly RealLab lab = new();

    public SshTests()
    {
        Need.Programs("ssh", "sshd", "ssh-keygen", "nc");
        if (!Environment.IsPrivilegedProcess)
            Assert.Skip("sshd makes sessions only for root");
        string config = lab.Write("sshd_config", $"""
            Port 22
            ListenAddress 0.0.0.0
            HostKey {lab.Folder}/host_key
            AuthorizedKeysFile {lab.Folder}/user_key.pub
            StrictModes no
            UsePAM no
            PermitRootLogin yes
            PidFile none
            LogLevel ERROR
            Subsystem sftp internal-sftp
            """);
        lab.Write("ssh_config", $"""
            IdentityFile {lab.Folder}/user_key
            IdentitiesOnly yes
            UserKnownHostsFile {lab.Folder}/known_hosts
            GlobalKnownHostsFile /dev/null
            StrictHostKeyChecking accept-new
            BatchMode yes
            LogLevel ERROR
            """);

        // The folder in which sshd gives up rights is compiled into it.
        server = $$"""
            mkdir -p /run/sshd
            for key in host_key user_key; do ssh-keygen -q -t ed25519 -N '' -f $key; done
            {{Need.Find("sshd")}} -D -e -f {{config}} &
            until_tcp 22
            """;
    }

    private readonly string server;

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Commands_and_files_pass()
    {
        Need.Programs("scp", "sftp");
        string sum = lab.WriteRandom("large", 50 << 20, 1);
        string[] lines = await ClientAsync($$"""
            status ssh -F ssh_config server 'set -- $SSH_CONNECTION; echo from $1 to $3 $4; exit 7'
            ssh -F ssh_config server sha256sum < large
            ssh -F ssh_config server cat {{lab.Folder}}/large | sha256sum
            scp -q -F ssh_config large server:{{lab.Folder}}/copied && cmp large copied && echo copied
            echo "get {{lab.Folder}}/large fetched" | sftp -q -b - -F ssh_config server > /dev/null && cmp large fetched && echo fetched
            status ssh -F ssh_config nowhere true 2>&1 | tr -d '\r'
            """);
        Assert.Equal(
        [
            "from 10.0.0.2 to 10.0.0.1 22", "= 7", $"{sum}  -", $"{sum}  -", "copied", "fetched",
            "ssh: Could not resolve hostname nowhere: Name or service not known", "= 255",
        ], lines);
    }

    [Fact]
    public async Task Ports_are_forwarded_and_connections_shared()
    {
        string sum = lab.WriteRandom("large", 4 << 20, 2);
        string[] lines = await ClientAsync("""
            shared() { ssh -F ssh_config -S ./control "$@"; }
            shared -M -f -N -L 8000:localhost:9001 -R 9002:localhost:8001 server < /dev/null > /dev/null 2>&1
            nc localhost 8000 | sha256sum
            nc -N -l 8001 < large & until_tcp 8001
            shared server 'nc localhost 9002 | sha256sum'
            for i in 1 2 3 4; do shared server "sha256sum; exit $i" < large > sum$i & done
            status=0; for job in 2 3 4 5; do wait %$job; status=$((status + $?)); done
            cat sum1 sum2 sum3 sum4; echo $status
            shared -O exit server 2>&1 | tr -d '\r'
            """,
            "nc -N -l 9001 < large & until_tcp 9001");
        Assert.Equal([.. Enumerable.Repeat($"{sum}  -", 6), "10", "Exit request sent."], lines);
    }

    [Fact]
    public async Task A_session_has_a_terminal()
    {
        Need.Programs("script");
        string[] lines = await ClientAsync("""
            { sleep 1; echo typed; sleep 0.3; } | script -qec \
                "stty rows 33 cols 99; ssh -F ssh_config -t server 'tty | cut -c 1-9; stty size; read word; echo got \$word'" /dev/null | tr -d '\r'
            """);
        Assert.Equal(["/dev/pts/", "33 99", "got typed"], lines.Where(line => line != "typed"));
    }

    private async Task<string[]> ClientAsync(string script, string more = "") =>
        (await lab.PairAsync($"{server}\n{more}", script)).Of("client");
}
