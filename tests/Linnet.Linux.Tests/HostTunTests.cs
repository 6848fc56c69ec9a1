using System.ComponentModel;
using System.Net;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests;

public class HostTunTests
{
    [Fact]
    public void Device_is_up_with_its_address_while_it_is_held_and_gone_afterwards()
    {
        using HostNamespace host = HostNamespace.CreateOrSkip();
        host.Inside(() =>
        {
            using (HostTun tap = HostTun.Create("tap%d", tap: true))
            {
                Assert.Equal("tap0", tap.Name);
                tap.Configure(IPAddress.Parse("192.0.2.1"), 24, mtu: 1400);
                string shown = host.Run("ip", "-br", "address", "show", "tap0").ThrowIfFailed().Output;
                Assert.Contains("192.0.2.1/24", shown);
                Assert.Contains("mtu 1400", host.Run("ip", "link", "show", "tap0").Output);
            }

            Assert.NotEqual(0, host.Run("ip", "link", "show", "tap0").ExitCode);
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("a-name-of-more-than-15-bytes")]
    public void Names_that_no_device_can_have_are_refused(string name) =>
        Assert.Throws<ArgumentException>(() => HostTun.Create(name, tap: true));

    [Fact]
    public void Refusal_by_the_host_says_what_was_tried()
    {
        using HostNamespace host = HostNamespace.CreateOrSkip();
        host.Inside(() =>
        {
            using HostTun first = HostTun.Create("tap0", tap: true);
            Win32Exception failure = Assert.Throws<Win32Exception>(() => HostTun.Create("tap0", tap: true));
            Assert.Contains("'tap0'", failure.Message);
        });
    }
}
