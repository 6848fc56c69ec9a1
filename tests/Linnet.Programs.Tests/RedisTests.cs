namespace Linnet.Programs.Tests;

/// <summary>redis-server and its benchmark.</summary>
public sealed class RedisTests : IDisposable
{
    private readonly RealLab lab = new();

    public RedisTests() => Need.Programs("redis-server", "redis-benchmark", "redis-cli");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task All_tests_of_the_benchmark_run_and_lose_nothing()
    {
        string[] lines = await UpAsync("", """
            set -e
            redis-benchmark -h db -n 2000 -c 50 -P 16 -q | tr '\r' '\n' > benchmark
            grep -c 'requests per second' benchmark
            redis-cli -h db get counter:__rand_int__
            redis-cli -h db llen mylist
            """);

        // PUSHes and POPs are as many, but for the list that is made for the tests of LRANGE.
        Assert.Equal(["20", "2000", "2000"], lines);
    }

    [Theory]
    [InlineData("loss 2%")]
    [InlineData("loss 2% delay 5ms reorder 25% duplicate 1%")]
    public async Task Nothing_is_lost_where_packets_are(string link)
    {
        string[] lines = await UpAsync("networks: {lan: {link: " + link + "}}", """
            redis-benchmark -h 10.0.0.1 -n 4000 -c 50 -P 16 -q -t incr,lpush,rpush,lpop,set | tr '\r' '\n' > benchmark || cat benchmark
            grep -c 'requests per second' benchmark
            cli() { redis-cli -h 10.0.0.1 "$@"; }
            cli get counter:__rand_int__
            cli llen mylist
            cli flushall
            seq 20000 | awk '{ printf "SET key%d the-value-of-%d\r\n", $1, $1 * $1 }' | cli --pipe | tail -n 1
            seq 20000 | awk 'NR % 500 == 1 { printf "\nMGET" } { printf " key%d", $1 }' | cli > got
            seq 20000 | awk '{ print "the-value-of-" $1 * $1 }' | cmp - got && echo complete
            cli dbsize
            """);
        Assert.Equal(["5", "4000", "4000", "OK", "errors: 0, replies: 20000", "complete", "20000"], lines);
    }

    [Fact]
    public async Task Subscribers_and_monitors_hear_all()
    {
        string[] lines = await UpAsync("", """
            redis-cli -h db monitor > monitored &
            for i in 1 2 3; do redis-cli -h db subscribe news > "heard$i" & done
            until [ "$(redis-cli -h db pubsub numsub news | tail -n 1)" = 3 ]; do sleep 0.05; done
            until [ -s monitored ]; do sleep 0.05; done
            seq 500 | awk '{ print "publish news message" $1 }' | redis-cli -h db | sort | uniq -c
            redis-cli -h db shutdown
            wait
            cat heard1 heard2 heard3 | grep -c '^message[0-9]'
            grep -c '\[0 10.0.0.2:[0-9]*\] "publish" "news" "message' monitored
            """);
        Assert.Equal(["500 3", "1500", "500"], lines.Where(line => !line.StartsWith("Error: Server closed")).Select(line => line.Trim()));
    }

    [Fact]
    public async Task What_was_written_is_there_after_a_restart()
    {
        string server = lab.Script("server", """
            # It ends by SHUTDOWN; the second time it reads what it wrote the first time.
            redis-server redis.conf > log1
            redis-server redis.conf > log2
            """);
        string[] lines = await UpAsync("", """
            seq 5000 | awk '{ printf "RPUSH list%d value%d\r\n", $1 % 100, $1 }' | redis-cli -h db --pipe | tail -n 1
            before=$(redis-cli -h db debug digest)
            redis-cli -h db bgsave
            until redis-cli -h db info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.05; done
            redis-cli -h db bgrewriteaof
            redis-cli -h db shutdown
            until redis-cli -h db ping 2> /dev/null | grep -q PONG; do sleep 0.05; done
            [ "$before" = "$(redis-cli -h db debug digest)" ] && echo equal
            redis-cli -h db dbsize
            """, server);
        Assert.Equal(
            ["errors: 0, replies: 5000", "Background saving started", "Background append only file rewriting started", "equal", "100"], lines);
    }

    private async Task<string[]> UpAsync(string networks, string client, string? server = null)
    {
        lab.Write("redis.conf", $"""
            dir {lab.Folder}
            bind 0.0.0.0
            protected-mode no
            appendonly yes
            save 1 1000
            enable-debug-command yes
            """);
        LabOutcome outcome = await lab.UpAsync($"""
            {networks}
            hosts:
              db:
                run: {server ?? $"exec redis-server {lab.Folder}/redis.conf"}
              client:
                wait_for: ['db:6379']
                run: {lab.Script("client", client)}
            """);
        return outcome.Succeeded().Of("client");
    }
}
