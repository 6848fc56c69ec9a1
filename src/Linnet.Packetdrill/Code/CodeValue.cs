using System.Globalization;
using System.Text;

namespace Linnet.Packetdrill.Code;

/// <summary>A value of the code's little language: a whole number, a floating one, a truth value, a string or a tuple.</summary>
internal static class CodeValue
{
    /// <summary>A value as Python's <c>str</c> shows it.</summary>
    public static string Show(object? value) => value switch
    {
        null => "None",
        bool b => b ? "True" : "False",
        double d when d == Math.Floor(d) && Math.Abs(d) < 1e16 => d.ToString("0.0", CultureInfo.InvariantCulture),
        double d => d.ToString("R", CultureInfo.InvariantCulture),
        object?[] tuple => "(" + string.Join(", ", tuple.Select(Show)) + (tuple.Length == 1 ? ",)" : ")"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool b => b,
        Int128 n => n != 0,
        double d => d != 0,
        string s => s.Length > 0,
        object?[] tuple => tuple.Length > 0,
        _ => true,
    };

    /// <summary>Compares; null where the operator does not go with these values.</summary>
    public static bool? Compare(string op, object? left, object? right)
    {
        if (left is string a && right is string b)
            return Decide(op, string.CompareOrdinal(a, b));
        if (left is object?[] these && right is object?[] those && op is ("==" or "!="))
            return AreEqual(these, those) == (op == "==");
        if (Number(left) is not { } x || Number(right) is not { } y)
            return op switch { "==" => Equals(left, right), "!=" => !Equals(left, right), _ => null };
        return x is Int128 m && y is Int128 n
            ? Decide(op, m.CompareTo(n))
            : Decide(op, ToDouble(x).CompareTo(ToDouble(y)));
    }

    /// <summary>Calculates; null where the operator does not go with these values.</summary>
    /// <exception cref="DivideByZeroException">As it says.</exception>
    /// <exception cref="OverflowException">The result is outside of 128 bits.</exception>
    public static object? Binary(string op, object? left, object? right)
    {
        if (left is string text)
        {
            if (op == "%")
                return Format(text, right as object?[] ?? [right]);
            return op == "+" && right is string other ? text + other : null;
        }
        if (Number(left) is not { } x || Number(right) is not { } y)
            return null;
        if (x is Int128 m && y is Int128 n)
            return op == "/" ? n == 0 ? throw new DivideByZeroException() : (double)m / (double)n : Whole(op, m, n);
        return Floating(op, ToDouble(x), ToDouble(y));
    }

    public static object? Unary(string op, object? value) => (op, Number(value)) switch
    {
        ("+", { } number) => number,
        ("-", Int128 n) => -n,
        ("-", double d) => -d,
        ("~", Int128 n) => ~n,
        _ => null,
    };

    /// <summary>Python's <c>%</c> of strings: <c>%d %i %u %x %X %o %s %r %f %g %e %%</c> with flags, width and precision.</summary>
    /// <exception cref="FormatException">The arguments do not fit the format.</exception>
    public static string Format(string format, object?[] arguments)
    {
        StringBuilder result = new();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            int start = ++i;
            while (i < format.Length && (char.IsAsciiDigit(format[i]) || "+- #.".Contains(format[i])))
                i++;
            if (i >= format.Length)
                throw new FormatException("incomplete format");
            if (format[i] == '%')
                result.Append('%');
            else if (next < arguments.Length)
                result.Append(FormatOne(format[start..i], format[i], arguments[next++]));
            else
                throw new FormatException("not enough arguments for format string");
        }
        return next == arguments.Length
            ? result.ToString()
            : throw new FormatException("not all arguments converted during string formatting");
    }

    public static object? Number(object? value) => value switch
    {
        Int128 or double => value,
        bool b => (Int128)(b ? 1 : 0),
        _ => null,
    };

    private static bool AreEqual(object?[] these, object?[] those) =>
        these.Length == those.Length && these.Zip(those).All(pair => Compare("==", pair.First, pair.Second) == true);

    private static double ToDouble(object number) => number is Int128 n ? (double)n : (double)number;

    private static bool? Decide(string op, int order) => op switch
    {
        "==" => order == 0,
        "!=" => order != 0,
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        ">=" => order >= 0,
        _ => null,
    };

    private static object? Whole(string op, Int128 m, Int128 n) => op switch
    {
        "+" => checked(m + n),
        "-" => checked(m - n),
        "*" => checked(m * n),
        "//" => FloorDivide(m, n),
        "%" => m - FloorDivide(m, n) * n,
        "&" => m & n,
        "|" => m | n,
        "^" => m ^ n,
        "<<" when n >= 0 && n < 128 => m << (int)n,
        ">>" when n >= 0 => n > 127 ? (m < 0 ? Int128.NegativeOne : Int128.Zero) : m >> (int)n,
        _ => null,
    };

    private static Int128 FloorDivide(Int128 m, Int128 n)
    {
        if (n == 0)
            throw new DivideByZeroException();
        Int128 quotient = m / n;
        return m % n != 0 && (m < 0) != (n < 0) ? quotient - 1 : quotient;
    }

    private static object? Floating(string op, double x, double y) => op switch
    {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" or "//" or "%" when y == 0 => throw new DivideByZeroException(),
        "/" => x / y,
        "//" => Math.Floor(x / y),
        "%" => x - Math.Floor(x / y) * y,
        _ => null,
    };

    private static string FormatOne(string flags, char conversion, object? value)
    {
        string text = conversion switch
        {
            's' or 'r' => Show(value),
            'd' or 'i' or 'u' => Show(ToWhole(value)),
            'x' => ToHex(value, "x"),
            'X' => ToHex(value, "X"),
            'f' or 'F' or 'e' or 'E' or 'g' or 'G' => FormatFloat(flags, conversion, value),
            _ => throw new FormatException($"unsupported format character '{conversion}'"),
        };
        string width = flags.TrimStart('+', '-', ' ', '#', '0').Split('.')[0];
        if (!int.TryParse(width, NumberStyles.None, CultureInfo.InvariantCulture, out int wanted))
            return text;
        if (flags.StartsWith('-'))
            return text.PadRight(wanted);
        return flags.StartsWith('0') && conversion is not ('s' or 'r') ? text.PadLeft(wanted, '0') : text.PadLeft(wanted);
    }

    private static string ToHex(object? value, string form) =>
        ToWhole(value) is var n && n < 0 ? "-" + (-n).ToString(form, CultureInfo.InvariantCulture).TrimStart('0')
        : n == 0 ? "0" : n.ToString(form, CultureInfo.InvariantCulture).TrimStart('0');

    private static Int128 ToWhole(object? value) => Number(value) switch
    {
        Int128 n => n,
        double d => (Int128)d,
        _ => throw new FormatException("a number is required"),
    };

    private static string FormatFloat(string flags, char conversion, object? value)
    {
        double number = Number(value) is { } n ? ToDouble(n) : throw new FormatException("a number is required");
        int point = flags.IndexOf('.');
        string precision = point >= 0 ? flags[(point + 1)..] : "6";
        return conversion is 'g' or 'G'
            ? number.ToString("G" + precision, CultureInfo.InvariantCulture)
            : number.ToString(char.ToUpperInvariant(conversion) + precision, CultureInfo.InvariantCulture);
    }
}
