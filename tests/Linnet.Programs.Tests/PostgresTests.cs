using System.Globalization;

namespace Linnet.Programs.Tests;

/// <summary>PostgreSQL, which has a process for each connection.</summary>
public sealed class PostgresTests : IDisposable
{
    private const string Installations = "/usr/lib/postgresql";

    private readonly RealLab lab = new();
    private readonly string programs;

    public PostgresTests()
    {
        // Debian keeps the server's programs by version, out of PATH.
        string[] found = Directory.Exists(Installations)
            ? [.. Directory.GetDirectories(Installations).Where(version => File.Exists($"{version}/bin/postgres") && File.Exists($"{version}/bin/pgbench"))]
            : [];
        if (found.Length == 0)
            Assert.Skip("PostgreSQL is not installed");
        programs = found.Max() + "/bin";
        Need.Programs("setpriv");
    }

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Pgbench_runs_with_ten_clients()
    {
        string[] lines = await UpAsync("", "db", """
            psql -At -c 'select inet_client_addr(), inet_server_addr()'
            pgbench -i -q -s 2 > log 2>&1 || cat log
            pgbench -n -c 10 -j 2 -T 3 > log 2>&1 || cat log
            grep -o 'failed transactions: 0 ' log
            grep -o 'processed: [0-9]*' log
            """);
        Assert.Equal(["10.0.0.2|10.0.0.1", "failed transactions: 0 "], lines[..2]);
        Assert.True(ProcessedIn(lines[2]) > 50, lines[2]);
    }

    [Fact]
    public async Task The_balances_agree_where_packets_are_lost()
    {
        string[] lines = await UpAsync("networks: {lan: {link: loss 2%}}", "10.0.0.1", """
            pgbench -i -q > log 2>&1 || cat log
            pgbench -n -c 10 -t 20 > log 2>&1 || cat log
            grep -o 'failed transactions: 0 ' log
            grep -o 'processed: [0-9]*' log
            psql -At -c 'select count(*) from pgbench_history' \
                -c 'select (select sum(bbalance) from pgbench_branches) = sum(delta) from pgbench_history' \
                -c 'select (select sum(abalance) from pgbench_accounts) = sum(delta) from pgbench_history' \
                -c 'select (select sum(tbalance) from pgbench_tellers) = sum(delta) from pgbench_history'
            """);
        Assert.Equal("failed transactions: 0 ", lines[0]);
        Assert.Equal(["processed: 200", "200", "t", "t", "t"], lines[1..]);
    }

    [Fact]
    public async Task A_table_is_copied_in_and_out_unchanged()
    {
        string[] lines = await UpAsync("", "db", """
            seq 200000 | awk '{ printf "%d\t%s\n", $1, "a row of some length that has the number " $1 * $1 }' > rows
            psql -q -c 'create table rows (number int, text text)' -c '\copy rows from rows'
            psql -c '\copy (select * from rows order by number) to copied'
            cmp rows copied && echo equal
            psql -At -c 'select count(*) from rows'
            """);
        Assert.Equal(["COPY 200000", "equal", "200000"], lines[^3..]);
    }

    private static int ProcessedIn(string line) => int.Parse(line.Split(": ")[1], CultureInfo.InvariantCulture);

    private async Task<string[]> UpAsync(string networks, string address, string client)
    {
        // The server refuses to be root's; setpriv gives rights up, which a program under a filter may.
        string server = lab.Script("server", $"""
            as_user=''
            if [ "$(id -u)" = 0 ]; then
                as_user='setpriv --reuid=postgres --regid=postgres --clear-groups'
                install -d -o postgres data
            fi
            $as_user {programs}/initdb -D data -A trust -U postgres --no-sync > initdb.log || exit
            echo 'host all all 0.0.0.0/0 trust' >> data/pg_hba.conf
            exec $as_user {programs}/postgres -D data -c listen_addresses=0.0.0.0 -c unix_socket_directories= -c fsync=off
            """);
        LabOutcome outcome = await lab.UpAsync($$"""
            {{networks}}
            hosts:
              db:
                run: {{server}}
              client:
                wait_for: ['db:5432']
                environment: {PGHOST: {{address}}, PGUSER: postgres, PGDATABASE: postgres}
                run: {{lab.Script("client", $"PATH={programs}:$PATH\nuntil pg_isready -q; do sleep 0.05; done\n{client}")}}
            """);
        return outcome.Succeeded().Of("client");
    }
}
