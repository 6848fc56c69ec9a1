namespace Linnet.Kernel;

/// <summary>How grave a line of the kernel log is; Linux's numbers.</summary>
public enum LogLevel
{
    /// <summary><c>KERN_ERR</c></summary>
    Error = 3,

    /// <summary><c>KERN_WARNING</c></summary>
    Warning = 4,

    /// <summary><c>KERN_NOTICE</c></summary>
    Notice = 5,

    /// <summary><c>KERN_INFO</c></summary>
    Info = 6,
}

/// <summary>The kernel log of a machine (<c>printk</c>).</summary>
/// <param name="sink">Receives each line; may be called from any thread.</param>
public sealed class Printk(Action<LogLevel, string>? sink)
{
    private readonly HashSet<string> printedOnce = new(StringComparer.Ordinal);

    /// <summary>Logs a line.</summary>
    public void Write(LogLevel level, string message) => sink?.Invoke(level, message);

    /// <summary>Logs a line the first time that it is given (<c>pr_info_once</c>, <c>pr_warn_once</c>).</summary>
    /// <param name="level">How grave it is.</param>
    /// <param name="key">What counts as the same line.</param>
    /// <param name="message">The line.</param>
    public void WriteOnce(LogLevel level, string key, string message)
    {
        lock (printedOnce)
        {
            if (!printedOnce.Add(key))
                return;
        }

        Write(level, message);
    }
}
