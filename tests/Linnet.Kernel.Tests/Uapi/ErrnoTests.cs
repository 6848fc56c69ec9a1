using System.Reflection;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Uapi;

/// <summary>Names and texts of error numbers.</summary>
public sealed class ErrnoTests
{
    [Theory]
    [InlineData(EPERM, 1, "EPERM", "Operation not permitted")]
    [InlineData(EAGAIN, 11, "EAGAIN", "Resource temporarily unavailable")]
    [InlineData(EINVAL, 22, "EINVAL", "Invalid argument")]
    [InlineData(EPROTONOSUPPORT, 93, "EPROTONOSUPPORT", "Protocol not supported")]
    [InlineData(EADDRINUSE, 98, "EADDRINUSE", "Address already in use")]
    [InlineData(EHWPOISON, 133, "EHWPOISON", "Memory page has hardware error")]
    public void An_error_has_its_number_name_and_text(int constant, int number, string name, string text)
    {
        Assert.Equal(number, constant);
        Assert.Equal(name, Errno.Name(number));
        Assert.Equal(text, Errno.Describe(number));
    }

    [Fact]
    public void A_return_value_may_be_looked_up_as_it_is() => Assert.Equal("EPIPE", Errno.Name(-EPIPE));

    [Fact]
    public void Every_constant_has_a_name_and_only_the_two_aliases_have_another_one()
    {
        var other = typeof(Errno).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.IsLiteral && Errno.Name((int)field.GetRawConstantValue()!) != field.Name)
            .Select(field => field.Name);

        Assert.Equal(["EWOULDBLOCK", "EDEADLOCK"], other);
    }

    [Fact]
    public void An_unknown_number_is_shown_as_it_is()
    {
        Assert.Equal("9999", Errno.Name(9999));
        Assert.Equal("Unknown error 9999", Errno.Describe(9999));
        Assert.Equal("Success", Errno.Describe(0));
    }
}
