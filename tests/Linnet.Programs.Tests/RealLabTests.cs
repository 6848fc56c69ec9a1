using System.Diagnostics;

namespace Linnet.Programs.Tests;

/// <summary>The labs of these tests.</summary>
public class RealLabTests
{
    [Fact]
    public async Task A_lab_that_hangs_says_what_it_printed_and_leaves_nothing_running()
    {
        using RealLab lab = new();
        TimeoutException late = await Assert.ThrowsAsync<TimeoutException>(() => lab.UpAsync($"""
            hosts:
              server:
                run: echo $$ > {lab.Folder}/pid; echo begun; exec sleep 1000
              client:
                wait_for: ['server:80']
                run: echo never
            """, seconds: 3));
        Assert.Contains("server | begun\n", late.Message);
        Assert.DoesNotContain("client | never", late.Message);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(int.Parse(lab.Read("pid"))));
    }
}
