using System.Text;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>sysctl</c>, and the script that sets settings and writes another which restores them.</summary>
internal static class SysctlCommand
{
    /// <summary><c>sysctl [-q] [-w] [-n] [-e] NAME[=VALUE]...</c>; a name has dots or slashes.</summary>
    public static int Run(CommandCall call)
    {
        bool quiet = false, valuesOnly = false, ignoreUnknown = false;
        int status = 0;
        foreach (string argument in call.Arguments)
        {
            if (!argument.StartsWith('-'))
            {
                status |= Perform(call, argument, quiet, valuesOnly, ignoreUnknown);
                continue;
            }
            foreach (char flag in argument.AsSpan(1))
            {
                quiet |= flag == 'q';
                valuesOnly |= flag == 'n';
                ignoreUnknown |= flag == 'e';
                if (flag is not ('q' or 'n' or 'e' or 'w'))
                    throw call.Unsupported($"-{flag}");
            }
        }
        return status;
    }

    /// <summary>
    /// <c>set_sysctls.py FILE=VALUE...</c>: writes values to files of <c>/proc/sys</c>, and to <c>/tmp/sysctl_restore_$PPID.sh</c> the
    /// commands that put the old ones back. So it does in packetdrill's repository, where it is a Python script.
    /// </summary>
    public static int SetAndKeep(CommandCall call)
    {
        StringBuilder restore = new("#!/bin/bash\n");
        int status = 0;
        foreach (string argument in call.Arguments)
        {
            string[] parts = argument.Split('=', 2);
            if (parts.Length < 2 || !call.Host.Files.TryRead(parts[0], out string before))
                return call.Fail($"{parts[0]}: No such file or directory");
            restore.Append($"echo \"{before.Trim()}\" > {parts[0]}\n");
            if (!call.Host.Files.Write(parts[0], parts[1], append: false, out string? problem))
                status = call.Fail($"{parts[0]}: {problem}");
        }
        call.Host.Files.Write("/tmp/sysctl_restore_1000.sh", restore.ToString(), append: false, out _);
        return status;
    }

    private static int Perform(CommandCall call, string argument, bool quiet, bool valuesOnly, bool ignoreUnknown)
    {
        string[] parts = argument.Split('=', 2);
        string file = "/proc/sys/" + (parts[0].Contains('/') ? parts[0] : parts[0].Replace('.', '/')).Trim();
        string name = file["/proc/sys/".Length..].Replace('/', '.');
        if (!call.Host.Files.TryRead(file, out string value))
            return ignoreUnknown ? 0 : call.Fail($"cannot stat {file}: No such file or directory");
        if (parts.Length == 2)
        {
            value = parts[1].Trim();
            if (!call.Host.Files.Write(file, value, append: false, out string? problem))
                return call.Fail($"setting key \"{name}\": {problem}");
            if (quiet)
                return 0;
        }
        call.Print(valuesOnly ? value.TrimEnd('\n') : $"{name} = {value.TrimEnd('\n')}");
        return 0;
    }
}
