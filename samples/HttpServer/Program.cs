using System.Net;
using HttpServer;
using Linnet;

// Two hosts on a cable, in this process: the server, and one that carries connections from this computer's port to it.
using Network network = new();
Host web = network.AddHost("web");
Host door = network.AddHost("door");
network.Connect(web, "10.0.0.1/24", door, "10.0.0.2/24");

Task server = web.Start("httpd", sys =>
{
    int err = BsdHttpServer.Run(sys, port: 80);
    throw new LinnetSocketException(-err);
});

int port = args.Length > 0 ? int.Parse(args[0]) : 8080;
await using PublishedPort published = PublishedPort.Open(
    new IPEndPoint(IPAddress.Loopback, port), door, new IPEndPoint(web.Address, 80));
Console.WriteLine($"curl http://{published.EndPoint}/");
await server;
