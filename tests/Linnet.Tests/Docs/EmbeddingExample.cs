using System.Net;
using Linnet;

namespace Embedding;

public static class Example
{
    /// <summary>Two hosts on a cable; one says hello to the other.</summary>
    public static string SayHello()
    {
        using Network network = Network.Simulate(seed: 42);
        Host server = network.AddHost("server");
        Host client = network.AddHost("client");
        network.Connect(server, "10.0.0.1/24", client, "10.0.0.2/24");

        string heard = "";
        network.Run(async () =>
        {
            using LinnetSocket listener = server.Listen(7);
            Task hearing = HearAsync(listener);

            await using LinnetStream stream = await client.ConnectAsync(new IPEndPoint(server.Address, 7));
            await using StreamWriter writer = new(stream);
            await writer.WriteLineAsync("hello");
            await writer.FlushAsync();
            await hearing;
        });
        return heard;

        async Task HearAsync(LinnetSocket listener)
        {
            using LinnetSocket connection = await listener.AcceptAsync();
            using StreamReader reader = new(connection.GetStream());
            heard = await reader.ReadLineAsync() ?? "";
        }
    }
}
