using System.Runtime.InteropServices;

namespace Linnet.Linux;

/// <summary>An array of C strings, ended by a null pointer.</summary>
internal sealed unsafe class CStrings : IDisposable
{
    private readonly nint[] pointers;

    public CStrings(IReadOnlyList<string> strings)
    {
        pointers = GC.AllocateArray<nint>(strings.Count + 1, pinned: true);
        for (int i = 0; i < strings.Count; i++)
        {
            byte[] bytes = HostText.Write(strings[i] + '\0');
            nint copy = (nint)NativeMemory.Alloc((nuint)bytes.Length);
            bytes.CopyTo(new Span<byte>((void*)copy, bytes.Length));
            pointers[i] = copy;
        }
    }

    /// <summary>The array.</summary>
    public byte** Pointers => (byte**)Marshal.UnsafeAddrOfPinnedArrayElement(pointers, 0);

    public void Dispose()
    {
        foreach (nint pointer in pointers)
            NativeMemory.Free((void*)pointer);
    }
}
