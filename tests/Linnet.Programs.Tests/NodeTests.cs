namespace Linnet.Programs.Tests;

/// <summary>node, as server and client.</summary>
public sealed class NodeTests : IDisposable
{
    private readonly RealLab lab = new();

    public NodeTests() => Need.Programs("node");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Http_streams_datagrams_and_names_work()
    {
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: [node, '{RealLab.Programs}/node-server.js']
              client:
                wait_for: ['web:80', 'web:7']
                run: [node, '{RealLab.Programs}/node-client.js']
            """);
        Assert.Equal(
        [
            "dns: 10.0.0.1 10.0.0.1",
            "http: 300 right answers on 100 connections",
            "net: 10.0.0.2 to 10.0.0.1:7",
            "net: 4194304 echoed, then the end",
            "net: ECONNREFUSED connect 10.0.0.1:81",
            "net: timeout",
            "dgram: a datagram from 10.0.0.1:7",
            "dgram: ECONNREFUSED",
        ], outcome.Succeeded().Of("client"));
    }
}
