namespace Linnet.Packetdrill.Tests;

public class PacketdrillOptionsTests
{
    [Fact]
    public void Defaults_are_packetdrills()
    {
        PacketdrillOptions options = new();

        Assert.Equal(4000, options.ToleranceUsecs);
        Assert.Equal(12.5, options.TolerancePercent);
        Assert.Equal(1500, options.Mtu);
        Assert.Equal((8080, 8080), (options.BindPort, options.ConnectPort));
    }
}
