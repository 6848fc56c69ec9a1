using Linnet.Kernel.Tests.Infrastructure;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Linnet.Kernel.Tests;

/// <summary>The direction of dependencies, read from the compiled assembly, bodies of methods included.</summary>
public class ArchitectureTests
{
    // What each part may use, besides itself, the numbers (Uapi) and the attributes and calls of the tracer (Trace).
    private static readonly Dictionary<string, string[]> MayUse = new()
    {
        ["Uapi"] = [],
        ["Kernel"] = [],
        ["Trace"] = ["Kernel"],
        ["Fs"] = ["Kernel"],
        ["Security"] = ["Kernel", "Fs", "Net/Core", "Net"],
        ["Net/Core"] = ["Kernel", "Fs", "Security"],
        ["Net"] = ["Kernel", "Fs", "Security", "Net/Core"],
        ["Net/Ethernet"] = ["Kernel", "Net/Core"],
        ["Net/Bridge"] = ["Kernel", "Net/Core", "Net/Ethernet", "Net/Netlink"],
        ["Net/Vlan"] = ["Kernel", "Net/Core", "Net/Ethernet", "Net/Netlink"],
        ["Net/Sched"] = ["Kernel", "Net/Core", "Net/Netlink"],
        ["Net/Netfilter"] = ["Kernel", "Net/Core"],
        ["Net/Packet"] = ["Kernel", "Fs", "Security", "Net/Core", "Net", "Net/Netlink"],
        ["Net/Netlink"] = ["Kernel", "Fs", "Security", "Net/Core", "Net"],
        ["Net/Unix"] = ["Kernel", "Fs", "Security", "Net/Core", "Net"],
        ["Net/Ipv4"] = ["Kernel", "Fs", "Security", "Net/Core", "Net", "Net/Ethernet", "Net/Netfilter", "Net/Netlink"],
        ["Drivers"] = ["Kernel", "Fs", "Net/Core", "Net", "Net/Ethernet", "Net/Netlink"],
    };

    // These stand above all: the one wires the parts together, the other prints the objects of all of them.
    private static readonly string[] KnowEverything = ["Init", "Arch/X86", "Trace/Beauty"];

    [Fact]
    public void Dependencies_point_one_way()
    {
        using ModuleDefinition module = ReadKernel();
        Dictionary<TypeDefinition, string> parts = module.GetTypes().Where(IsOurs).ToDictionary(t => t, PartOf);
        SortedSet<string> wrong = new(StringComparer.Ordinal);
        foreach ((TypeDefinition type, string part) in parts)
        {
            if (KnowEverything.Contains(part))
                continue;
            Assert.True(MayUse.ContainsKey(part), $"{type.FullName} is in {part}, which has no place in the architecture");
            foreach (TypeDefinition used in UsedBy(type).Distinct())
            {
                if (!parts.TryGetValue(used, out string? other) || other == part || other is "Uapi" or "Trace")
                    continue;
                if (!MayUse[part].Contains(other))
                    wrong.Add($"{part} uses {other}: {Outermost(type).FullName} uses {used.FullName}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void The_kernel_stands_on_the_base_class_library_alone()
    {
        using ModuleDefinition module = ReadKernel();
        Assert.All(module.AssemblyReferences, r => Assert.StartsWith("System.", r.Name));
    }

    [Fact]
    public void The_rules_see_what_is_there()
    {
        using ModuleDefinition module = ReadKernel();
        TypeDefinition socket = module.GetType("Linnet.Kernel.Net.Socket");
        Assert.Equal("Net", PartOf(socket));
        Assert.Contains(module.GetType("Linnet.Kernel.Net.Core.Sock"), UsedBy(socket));
        Assert.Equal("Kernel", PartOf(module.GetType("Linnet.Kernel.Machine")));
    }

    private static ModuleDefinition ReadKernel()
    {
        var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        return ModuleDefinition.ReadModule(typeof(Machine).Assembly.Location,
            new ReaderParameters { ReadSymbols = true, AssemblyResolver = resolver });
    }

    private static bool IsOurs(TypeDefinition type) =>
        Outermost(type).Namespace.StartsWith("Linnet.Kernel", StringComparison.Ordinal);

    // By the folder of the source, since Init/ shares a namespace with Kernel/; by the namespace where there is no code.
    private static string PartOf(TypeDefinition type)
    {
        type = Outermost(type);
        string? source = type.Methods.Where(m => m.DebugInformation.HasSequencePoints)
            .Select(m => m.DebugInformation.SequencePoints[0].Document.Url).FirstOrDefault();
        string part = source != null
            ? Path.GetRelativePath(Repository.PathOf("src", "Linnet.Kernel"), Path.GetDirectoryName(source)!)
            : type.Namespace.Length == "Linnet.Kernel".Length ? "Kernel" : type.Namespace["Linnet.Kernel.".Length..].Replace('.', '/');
        return part.StartsWith("Net/Ipv4", StringComparison.Ordinal) ? "Net/Ipv4" : part;
    }

    private static TypeDefinition Outermost(TypeDefinition type)
    {
        while (type.DeclaringType != null)
            type = type.DeclaringType;
        return type;
    }

    private static IEnumerable<TypeDefinition> UsedBy(TypeDefinition type)
    {
        IEnumerable<TypeReference?> used =
        [
            type.BaseType,
            .. type.Interfaces.Select(i => i.InterfaceType),
            .. type.Fields.Select(f => f.FieldType),
            .. type.Properties.Select(p => p.PropertyType),
            .. type.Methods.SelectMany(UsedBy),
        ];
        return used.SelectMany(Flatten).Select(t => Outermost(t.Resolve() ?? type)).Where(t => t.Module == type.Module);
    }

    private static IEnumerable<TypeReference?> UsedBy(MethodDefinition method)
    {
        yield return method.ReturnType;
        foreach (ParameterDefinition parameter in method.Parameters)
            yield return parameter.ParameterType;
        if (!method.HasBody)
            yield break;
        foreach (VariableDefinition variable in method.Body.Variables)
            yield return variable.VariableType;
        foreach (Instruction instruction in method.Body.Instructions)
        {
            switch (instruction.Operand)
            {
                case TypeReference type:
                    yield return type;
                    break;
                case FieldReference field:
                    yield return field.DeclaringType;
                    yield return field.FieldType;
                    break;
                case MethodReference called:
                    yield return called.DeclaringType;
                    yield return called.ReturnType;
                    foreach (ParameterDefinition parameter in called.Parameters)
                        yield return parameter.ParameterType;
                    break;
            }
        }
    }

    private static IEnumerable<TypeReference> Flatten(TypeReference? type)
    {
        if (type is GenericInstanceType generic)
        {
            foreach (TypeReference inner in generic.GenericArguments.SelectMany(Flatten))
                yield return inner;
        }

        if (type is TypeSpecification specification)
        {
            foreach (TypeReference inner in Flatten(specification.ElementType))
                yield return inner;
        }
        else if (type != null && !type.IsGenericParameter)
        {
            yield return type;
        }
    }
}
