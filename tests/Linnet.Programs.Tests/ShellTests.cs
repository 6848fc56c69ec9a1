namespace Linnet.Programs.Tests;

/// <summary>Shells: pipelines, background jobs, and process groups.</summary>
public sealed class ShellTests : IDisposable
{
    private readonly RealLab lab = new();

    public ShellTests() => Need.Programs("bash", "nc", "socat", "gzip");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Pipelines_and_background_jobs_carry_data()
    {
        string sum = lab.WriteRandom("large", 8 << 20, 1);
        LabOutcome outcome = await lab.PairAsync(
            """
            { nc -l 9001 | gzip -d | sha256sum; } &
            socat TCP-LISTEN:9002,fork,reuseaddr EXEC:'tr a-z A-Z' &
            until_tcp 9001 9002
            """,
            """
            cat large | gzip -1 | nc -N server 9001
            seq 30 | xargs -P 6 -I{} sh -c 'echo n{} | nc -N server 9002' | sort -V | tr '\n' ' '; echo
            for i in 1 2 3; do (echo job $i | nc -N server 9002 > out$i; exit $i) & done
            status=0; for job in 1 2 3; do wait %$job || status=$((status + $?)); done
            echo $status; cat out1 out2 out3
            bash -c 'exec 3<>/dev/tcp/server/9002; exec 4>&3; echo device >&4; timeout 1 head -c 1 <&3; echo "= $?"'
            bash -c ': > /dev/tcp/server/9' 2> /dev/null; echo "= $?"
            sleep 0.3
            """);
        Assert.Equal(
        [
            string.Concat(Enumerable.Range(1, 30).Select(i => $"N{i} ")), "6", "JOB 1", "JOB 2", "JOB 3", "= 124", "= 1",
        ], outcome.Of("client"));
        Assert.Contains($"{sum}  -", outcome.Of("server"));
    }

    [Fact]
    public async Task Signals_end_a_group_that_waits_in_calls_as_on_the_kernel()
    {
        LabOutcome outcome = await lab.PairAsync(
            """
            socat -u TCP-LISTEN:9001,fork SYSTEM:'sleep 100' &
            until_tcp 9001
            """,
            """
            cat > interrupt.sh <<'END'
            set -m
            says() { sleep 0.3; kill -$1 %1; wait %1; echo "$?"; }
            cat /dev/zero | nc server 9001 | cat & says INT
            nc -l 9002 & says INT
            nc -u -l 9003 | cat & says TERM
            timeout 0.3 nc server 9001 < /dev/null; echo $?
            nc -l 9002 & kill -STOP %1; kill -CONT %1; says TERM
            END
            bash interrupt.sh 2> /dev/null
            """);
        Assert.Equal(["130", "130", "143", "124", "143"], outcome.Of("client"));
    }
}
