namespace Linnet.Cli.Programs;

/// <summary>A program of calls: what <c>linnet trace</c> is given.</summary>
/// <param name="Statements">The calls, in order.</param>
internal sealed record CallProgram(IReadOnlyList<Statement> Statements);

/// <summary>A call, and the name that its result gets.</summary>
/// <param name="Text">As the user wrote it.</param>
/// <param name="Target">The name, or null.</param>
/// <param name="Call">Name of the call.</param>
/// <param name="Arguments">What is between the parentheses.</param>
internal sealed record Statement(string Text, string? Target, string Call, IReadOnlyList<Expression> Arguments);

/// <summary>An argument.</summary>
/// <param name="Text">As the user wrote it.</param>
internal abstract record Expression(string Text);

/// <summary>A number, or a constant of Linux's.</summary>
internal sealed record NumberExpression(string Text, long Value) : Expression(Text);

/// <summary>The result of an earlier call, or one of the two descriptors that <c>pipe</c> or <c>socketpair</c> made.</summary>
internal sealed record VariableExpression(string Text, string Name, int? Index) : Expression(Text);

/// <summary>Bytes.</summary>
internal sealed record StringExpression(string Text, byte[] Bytes) : Expression(Text);

/// <summary>An IPv4 address, with a port or without.</summary>
internal sealed record AddressExpression(string Text, uint Address, ushort Port) : Expression(Text);

/// <summary>Several values of one bitwise <c>|</c>.</summary>
internal sealed record OrExpression(string Text, IReadOnlyList<Expression> Parts) : Expression(Text);

/// <summary>Values in braces or brackets: a struct or an array.</summary>
internal sealed record ListExpression(string Text, IReadOnlyList<Expression> Items) : Expression(Text);
