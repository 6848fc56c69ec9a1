// An ordinary program with Kestrel on the host's sockets; it knows nothing of Linnet.
using System.Text;

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
WebApplication app = builder.Build();
app.Urls.Add("http://*:80");
app.MapGet("/", (HttpContext context) => $"hello, {context.Connection.RemoteIpAddress}");
app.MapPost("/echo", (HttpContext context) => context.Request.Body.CopyToAsync(context.Response.Body));
app.MapGet("/ticks", async (HttpContext context) =>
{
    for (int i = 0; i < 5; i++)
    {
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"tick {i}\n"));
        await context.Response.Body.FlushAsync();
        await Task.Delay(20);
    }
});

// Asks another server as .NET's own client does, many times at once.
app.MapGet("/ask/{host}/{count:int}", async (string host, int count) =>
{
    using HttpClient client = new();
    string[] answers = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => client.GetStringAsync($"http://{host}/")));
    return string.Join('\n', answers.GroupBy(answer => answer).Select(group => $"{group.Count()} times {group.Key}"));
});
app.Run();
