using System.Text;
using Mono.Cecil;
using Mono.Cecil.Cil;
using Mono.Cecil.Rocks;

namespace Linnet.Weaver;

/// <summary>
/// Makes every method that carries <c>[Linux]</c> report its calls to the tracer, and stores the table of these methods
/// and of the UAPI's constants in the assembly, so that nothing has to be found by reflection.
/// </summary>
/// <remarks>
/// A method <c>X</c> begins with <c>if (FunctionTracer.Enabled &amp;&amp; FunctionTracer.Intercept(point)) return
/// X__traced(...)</c> and is otherwise as it was. <c>X__traced</c> reports the arguments, calls <c>X</c>, which
/// <c>Intercept</c> lets through this time, and reports the result. With tracing off that is one load and one branch.
/// </remarks>
internal sealed class TraceWeaver(ModuleDefinition module, string projectDirectory)
{
    private const string TraceNamespace = "Linnet.Kernel.Trace";
    private const string UapiNamespace = "Linnet.Kernel.Uapi";
    private const string Suffix = "__traced";

    private readonly TypeDefinition tracer = module.GetType(TraceNamespace + ".FunctionTracer");
    private readonly TypeDefinition call = module.GetType(TraceNamespace + ".TraceCall");
    private readonly TypeDefinition tables = module.GetType(TraceNamespace + ".WovenTables");
    private readonly StringBuilder points = new();
    private int pointCount;

    /// <summary>What keeps methods from being traced, as MSBuild prints errors.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>Whether the module was woven before.</summary>
    public bool IsWoven => StringOf("TracePoints").Length > 0;

    /// <summary>Changes the module in memory.</summary>
    public void Weave()
    {
        foreach (TypeDefinition type in module.GetTypes().ToList())
        {
            foreach (MethodDefinition method in type.Methods.ToList())
            {
                if (Attribute(method, "LinuxAttribute") is { } linux)
                    Weave(method, linux);
            }
        }

        SetString("TracePoints", points.ToString());
        SetString("Constants", Constants());
    }

    private void Weave(MethodDefinition method, CustomAttribute linux)
    {
        string? file = linux.ConstructorArguments.Count > 1 ? (string?)linux.ConstructorArguments[1].Value : null;
        for (TypeDefinition? type = method.DeclaringType; file == null && type != null; type = type.DeclaringType)
            file = (string?)Attribute(type, "LinuxFileAttribute")?.ConstructorArguments[0].Value;

        List<Parameter> parameters = Parameters(method);
        bool isTraced = method.HasBody && !method.IsConstructor;
        AddPoint(method, (string)linux.ConstructorArguments[0].Value, file, parameters, isTraced);
        if (isTraced)
            AddInterception(method, AddTracedTwin(method, parameters));
        pointCount++;
    }

    private void AddPoint(MethodDefinition method, string symbol, string? file, List<Parameter> parameters, bool isTraced)
    {
        SequencePoint? start = SequencePoints(method).FirstOrDefault(p => !p.IsHidden);
        string source = start == null ? "" : Path.GetRelativePath(projectDirectory, start.Document.Url).Replace('\\', '/');
        if (source.StartsWith("..", StringComparison.Ordinal))
            source = "";
        string where = start == null ? method.FullName : $"{start.Document.Url}({start.StartLine},1)";
        if (file == null)
            Errors.Add($"{where}: error LINNET001: [Linux(\"{symbol}\")] names no file, and its type has no [LinuxFile]");
        if (method.IsConstructor)
            Errors.Add($"{where}: error LINNET002: [Linux(\"{symbol}\")] is on a constructor, which cannot be traced");
        points.Append(symbol).Append('\t')
            .Append(file).Append('\t')
            .Append(method.DeclaringType.FullName.Replace('/', '.')).Append('\t')
            .Append(method.Name).Append('\t')
            .Append(source).Append('\t')
            .Append(start?.StartLine ?? 0).Append('\t')
            .Append(isTraced ? '1' : '0').Append('\t')
            .Append(TypeName(method.ReturnType)).Append('\t')
            .AppendJoin(',', parameters.Select(p => $"{p.Name}:{p.Direction}:{TypeName(p.Type)}"))
            .Append('\n');
    }

    private static IEnumerable<SequencePoint> SequencePoints(MethodDefinition method)
    {
        if (method.DebugInformation.HasSequencePoints)
            return method.DebugInformation.SequencePoints;
        // The code of an async method or an iterator is in its state machine.
        MethodDefinition? moveNext = method.CustomAttributes
            .Where(a => a.AttributeType.Name.EndsWith("StateMachineAttribute", StringComparison.Ordinal))
            .Select(a => ((TypeReference)a.ConstructorArguments[0].Value).Resolve())
            .SelectMany(t => t.Methods).FirstOrDefault(m => m.Name == "MoveNext");
        return moveNext?.DebugInformation.SequencePoints ?? [];
    }

    private static List<Parameter> Parameters(MethodDefinition method)
    {
        List<Parameter> parameters = [];
        TypeDefinition declaring = method.DeclaringType;
        // The singleton of an operations table says nothing; a structure of Linux's is what the function is about.
        if (method.HasThis && !declaring.IsValueType && Attribute(declaring, "LinuxStructAttribute") != null)
            parameters.Add(new Parameter("this", 'i', Self(declaring), 0));
        foreach (ParameterDefinition p in method.Parameters)
        {
            // What is global in Linux hangs off the machine here; a function of Linux's has no such argument.
            if (p.ParameterType.FullName == "Linnet.Kernel.Machine")
                continue;
            TypeReference type = p.ParameterType is RequiredModifierType modified ? modified.ElementType : p.ParameterType;
            // What a function puts into a span that it was given is seen when it returns.
            bool isBuffer = type.Name == "Span`1" && IsByteSpan(type);
            char direction = isBuffer ? 'r' : type is not ByReferenceType || p.IsIn ? 'i' : p.IsOut ? 'o' : 'r';
            parameters.Add(new Parameter(p.Name, direction, type, p.Index + (method.HasThis ? 1 : 0)));
        }

        return parameters;
    }

    private void AddInterception(MethodDefinition method, MethodReference twin)
    {
        Mono.Cecil.Cil.MethodBody body = method.Body;
        body.SimplifyMacros();
        ILProcessor il = body.GetILProcessor();
        Instruction first = body.Instructions[0];
        List<Instruction> added =
        [
            il.Create(OpCodes.Ldsfld, tracer.Fields.Single(f => f.Name == "Enabled")),
            il.Create(OpCodes.Brfalse, first),
            il.Create(OpCodes.Ldc_I4, pointCount),
            il.Create(OpCodes.Call, Method(tracer, "Intercept")),
            il.Create(OpCodes.Brfalse, first),
        ];
        added.AddRange(LoadAll(method, il));
        added.Add(il.Create(OpCodes.Call, twin));
        added.Add(il.Create(OpCodes.Ret));
        foreach (Instruction instruction in added)
            il.InsertBefore(first, instruction);
        body.OptimizeMacros();
    }

    private static IEnumerable<Instruction> LoadAll(MethodDefinition method, ILProcessor il)
    {
        if (method.HasThis)
            yield return il.Create(OpCodes.Ldarg, method.Body.ThisParameter);
        foreach (ParameterDefinition p in method.Parameters)
            yield return il.Create(OpCodes.Ldarg, p);
    }

    private MethodReference AddTracedTwin(MethodDefinition method, List<Parameter> parameters)
    {
        MethodDefinition twin = DeclareTwin(method);
        Mono.Cecil.Cil.MethodBody body = twin.Body;
        body.InitLocals = true;
        ILProcessor il = body.GetILProcessor();
        var record = new VariableDefinition(call);
        body.Variables.Add(record);
        bool returns = method.ReturnType.MetadataType != MetadataType.Void;
        var result = new VariableDefinition(twin.ReturnType);
        if (returns)
            body.Variables.Add(result);

        il.Emit(OpCodes.Ldc_I4, pointCount);
        il.Emit(OpCodes.Call, Method(tracer, "Begin"));
        il.Emit(OpCodes.Stloc, record);
        Report(il, twin, record, parameters.Where(p => p.Direction != 'o'));
        il.Emit(OpCodes.Ldloc, record);
        il.Emit(OpCodes.Call, Method(tracer, "Entered"));

        Instruction tryStart = il.Create(OpCodes.Ldc_I4, pointCount);
        il.Append(tryStart);
        il.Emit(OpCodes.Call, Method(tracer, "LetThrough"));
        foreach (Instruction load in LoadAll(twin, il))
            il.Append(load);
        il.Emit(OpCodes.Call, Reference(method, twin));
        if (returns)
            il.Emit(OpCodes.Stloc, result);
        Instruction after = il.Create(OpCodes.Nop);
        il.Emit(OpCodes.Leave, after);

        var exception = new VariableDefinition(module.ImportReference(ExceptionType()));
        body.Variables.Add(exception);
        Instruction handler = il.Create(OpCodes.Stloc, exception);
        il.Append(handler);
        il.Emit(OpCodes.Ldloc, record);
        il.Emit(OpCodes.Ldloc, exception);
        il.Emit(OpCodes.Call, Method(tracer, "Threw"));
        il.Emit(OpCodes.Rethrow);
        il.Append(after);
        body.ExceptionHandlers.Add(new ExceptionHandler(ExceptionHandlerType.Catch)
        {
            TryStart = tryStart,
            TryEnd = handler,
            HandlerStart = handler,
            HandlerEnd = after,
            CatchType = exception.VariableType,
        });

        Report(il, twin, record, parameters.Where(p => p.Direction != 'i'));
        if (returns)
            Report(il, record, () => il.Emit(OpCodes.Ldloc, result), twin.ReturnType, "Result");
        il.Emit(OpCodes.Ldloc, record);
        il.Emit(OpCodes.Call, Method(tracer, "Left"));
        if (returns)
            il.Emit(OpCodes.Ldloc, result);
        il.Emit(OpCodes.Ret);
        body.OptimizeMacros();
        return Reference(twin, method);
    }

    private MethodDefinition DeclareTwin(MethodDefinition method)
    {
        var attributes = MethodAttributes.Private | MethodAttributes.HideBySig;
        if (method.IsStatic)
            attributes |= MethodAttributes.Static;
        var twin = new MethodDefinition(method.Name + Suffix, attributes, module.TypeSystem.Void)
        {
            HasThis = method.HasThis,
            ImplAttributes = MethodImplAttributes.NoInlining,
        };
        foreach (GenericParameter parameter in method.GenericParameters)
        {
            var copy = new GenericParameter(parameter.Name, twin) { Attributes = parameter.Attributes };
            twin.GenericParameters.Add(copy);
            foreach (GenericParameterConstraint constraint in parameter.Constraints)
                copy.Constraints.Add(new GenericParameterConstraint(Substitute(constraint.ConstraintType, method, twin)));
        }

        twin.ReturnType = Substitute(method.ReturnType, method, twin);
        foreach (ParameterDefinition p in method.Parameters)
            twin.Parameters.Add(new ParameterDefinition(p.Name, p.Attributes, Substitute(p.ParameterType, method, twin)));
        method.DeclaringType.Methods.Add(twin);
        return twin;
    }

    private static TypeReference Substitute(TypeReference type, MethodDefinition from, MethodDefinition to)
    {
        switch (type)
        {
            case GenericParameter parameter when parameter.Owner == from:
                return to.GenericParameters[parameter.Position];
            case ByReferenceType reference:
                return new ByReferenceType(Substitute(reference.ElementType, from, to));
            case ArrayType { IsVector: true } array:
                return new ArrayType(Substitute(array.ElementType, from, to));
            case PointerType pointer:
                return new PointerType(Substitute(pointer.ElementType, from, to));
            case RequiredModifierType modified:
                return new RequiredModifierType(modified.ModifierType, Substitute(modified.ElementType, from, to));
            case GenericInstanceType instance:
                var copy = new GenericInstanceType(instance.ElementType);
                foreach (TypeReference argument in instance.GenericArguments)
                    copy.GenericArguments.Add(Substitute(argument, from, to));
                return copy;
            default:
                return type;
        }
    }

    // How `caller` names `target`, a method of the same type with the same generic parameters.
    private static MethodReference Reference(MethodDefinition target, MethodDefinition caller)
    {
        MethodReference reference = target;
        if (target.DeclaringType.HasGenericParameters)
        {
            reference = new MethodReference(target.Name, target.ReturnType, Self(target.DeclaringType))
            {
                HasThis = target.HasThis,
            };
            foreach (GenericParameter parameter in target.GenericParameters)
                reference.GenericParameters.Add(new GenericParameter(parameter.Name, reference));
            foreach (ParameterDefinition p in target.Parameters)
                reference.Parameters.Add(new ParameterDefinition(p.ParameterType));
        }

        if (!target.HasGenericParameters)
            return reference;
        var generic = new GenericInstanceMethod(reference);
        foreach (GenericParameter parameter in caller.GenericParameters)
            generic.GenericArguments.Add(parameter);
        return generic;
    }

    private static TypeReference Self(TypeDefinition type) =>
        type.HasGenericParameters ? type.MakeGenericInstanceType([.. type.GenericParameters]) : type;

    private void Report(ILProcessor il, MethodDefinition twin, VariableDefinition record, IEnumerable<Parameter> parameters)
    {
        foreach (Parameter p in parameters)
        {
            ParameterDefinition source = p.Position == 0 && twin.HasThis
                ? twin.Body.ThisParameter
                : twin.Parameters[p.Position - (twin.HasThis ? 1 : 0)];
            TypeReference type = source.ParameterType is RequiredModifierType modified
                ? modified.ElementType
                : source.ParameterType;
            Report(il, record, () => il.Emit(OpCodes.Ldarg, source), type, "Add");
        }
    }

    // if (record != null) record.<prefix><Kind>(value)
    private void Report(ILProcessor il, VariableDefinition record, Action load, TypeReference type, string prefix)
    {
        Instruction skip = il.Create(OpCodes.Nop);
        il.Emit(OpCodes.Ldloc, record);
        il.Emit(OpCodes.Brfalse, skip);
        il.Emit(OpCodes.Ldloc, record);
        if (type is ByReferenceType reference)
        {
            type = reference.ElementType;
            if (IsByRefLike(type) && !IsByteSpan(type))
            {
                load = static () => { };
            }
            else
            {
                Action address = load;
                TypeReference element = type;
                load = () =>
                {
                    address();
                    il.Emit(OpCodes.Ldobj, element);
                };
            }
        }

        switch (Kind(type))
        {
            case ValueKind.Signed:
                load();
                il.Emit(OpCodes.Conv_I8);
                il.Emit(OpCodes.Call, Method(call, prefix + "Integer"));
                break;
            case ValueKind.Unsigned:
                load();
                il.Emit(OpCodes.Conv_U8);
                il.Emit(OpCodes.Call, Method(call, prefix + "Integer"));
                break;
            case ValueKind.Bytes:
                load();
                if (type.Name == "Span`1")
                    il.Emit(OpCodes.Call, Method(tracer, "ReadOnly"));
                il.Emit(OpCodes.Call, Method(call, prefix + "Bytes"));
                break;
            case ValueKind.Opaque:
                il.Emit(OpCodes.Call, Method(call, prefix + "Opaque"));
                break;
            default:
                load();
                if (type.IsValueType || type.IsGenericParameter)
                    il.Emit(OpCodes.Box, type);
                il.Emit(OpCodes.Call, Method(call, prefix + "Object"));
                break;
        }

        il.Append(skip);
    }

    private static ValueKind Kind(TypeReference type)
    {
        switch (type.MetadataType)
        {
            case MetadataType.SByte or MetadataType.Int16 or MetadataType.Int32 or MetadataType.Int64 or MetadataType.IntPtr:
                return ValueKind.Signed;
            case MetadataType.Boolean or MetadataType.Char or MetadataType.Byte or MetadataType.UInt16
                or MetadataType.UInt32 or MetadataType.UInt64 or MetadataType.UIntPtr or MetadataType.Pointer
                or MetadataType.FunctionPointer:
                return ValueKind.Unsigned;
        }

        if (IsByteSpan(type))
            return ValueKind.Bytes;
        return IsByRefLike(type) ? ValueKind.Opaque : ValueKind.Object;
    }

    private static bool IsByteSpan(TypeReference type) =>
        type is GenericInstanceType { Namespace: "System", Name: "Span`1" or "ReadOnlySpan`1" } span
        && span.GenericArguments[0].MetadataType == MetadataType.Byte;

    private static bool IsByRefLike(TypeReference type) =>
        type.IsValueType && !type.IsGenericParameter && (type.Namespace == "System" && type.Name is "Span`1" or "ReadOnlySpan`1"
            || type.Resolve() is { } definition
            && definition.CustomAttributes.Any(a => a.AttributeType.Name == "IsByRefLikeAttribute"));

    private string Constants()
    {
        var text = new StringBuilder();
        foreach (TypeDefinition type in module.Types.Where(t => t.Namespace == UapiNamespace).OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            foreach (FieldDefinition field in type.Fields.Where(f => f.IsLiteral && f.IsPublic))
            {
                long? value = field.Constant switch
                {
                    ulong v => unchecked((long)v),
                    IConvertible v and not string => Convert.ToInt64(v),
                    _ => null,
                };
                if (value != null)
                    text.Append(type.Name).Append('\t').Append(field.Name).Append('\t').Append(value).Append('\n');
            }
        }

        return text.ToString();
    }

    private static CustomAttribute? Attribute(ICustomAttributeProvider provider, string name) =>
        provider.CustomAttributes.FirstOrDefault(a => a.AttributeType.Name == name && a.AttributeType.Namespace == TraceNamespace);

    private static MethodDefinition Method(TypeDefinition type, string name) => type.Methods.Single(m => m.Name == name);

    private TypeReference ExceptionType() =>
        new("System", "Exception", module, module.TypeSystem.CoreLibrary);

    private string StringOf(string name) =>
        (string)Method(tables, name).Body.Instructions.Single(i => i.OpCode == OpCodes.Ldstr).Operand;

    private void SetString(string name, string value) =>
        Method(tables, name).Body.Instructions.Single(i => i.OpCode == OpCodes.Ldstr).Operand = value;

    private static string TypeName(TypeReference type) => type switch
    {
        ByReferenceType reference => TypeName(reference.ElementType),
        RequiredModifierType modified => TypeName(modified.ElementType),
        PointerType pointer => TypeName(pointer.ElementType) + "*",
        ArrayType array => TypeName(array.ElementType) + "[]",
        GenericInstanceType instance =>
            $"{instance.Name[..instance.Name.IndexOf('`')]}<{string.Join(';', instance.GenericArguments.Select(TypeName))}>",
        _ => type.MetadataType switch
        {
            MetadataType.Void => "void",
            MetadataType.Boolean => "bool",
            MetadataType.SByte => "sbyte",
            MetadataType.Byte => "byte",
            MetadataType.Int16 => "short",
            MetadataType.UInt16 => "ushort",
            MetadataType.Int32 => "int",
            MetadataType.UInt32 => "uint",
            MetadataType.Int64 => "long",
            MetadataType.UInt64 => "ulong",
            MetadataType.String => "string",
            MetadataType.Object => "object",
            _ => type.Name,
        },
    };

    private enum ValueKind
    {
        Signed,
        Unsigned,
        Bytes,
        Opaque,
        Object,
    }

    private sealed record Parameter(string Name, char Direction, TypeReference Type, int Position);
}
