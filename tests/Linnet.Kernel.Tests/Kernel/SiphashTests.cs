using System.Buffers.Binary;

namespace Linnet.Kernel.Tests.Kernel;

public class SiphashTests
{
    // The reference implementation's vectors_sip64: key 00 01 .. 0f, input 00 01 .. of the length that is the index.
    private static readonly ulong[] Vectors =
    [
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
        0x3f2acc7f57c29bdb,
    ];

    private static readonly SiphashKey Key = new(0x0706050403020100, 0x0f0e0d0c0b0a0908);

    private static readonly byte[] Input = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Fact]
    public void Bytes_hash_as_the_reference_says() =>
        Assert.Equal(Vectors, Enumerable.Range(0, Vectors.Length).Select(n => Siphash.Hash(Input.AsSpan(0, n), Key)));

    [Fact]
    public void Words_hash_as_their_bytes_do()
    {
        ulong[] words = [.. Enumerable.Range(0, 2).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(Input.AsSpan(i * 8)))];
        Assert.Equal(Siphash.Hash(Input.AsSpan(0, 16), Key), Siphash.Hash2(words[0], words[1], Key));
    }
}
