using System.CommandLine;
using Linnet.Cli;
using Linnet.Cli.Commands;

var terminal = Terminal.ForConsole();
return await CommandLine.RunAsync(args, terminal, CommandLine.All(terminal));
