global using Linnet.Linux;
global using Linnet.Programs.Tests.Infrastructure;

[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

// Each test starts several programs; two at a time would take the time from each other.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
