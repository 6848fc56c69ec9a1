using System.Globalization;
using System.Net;
using System.Text;

namespace Linnet.Cli.Serve;

/// <summary>The page that lists a directory.</summary>
internal static class DirectoryPage
{
    /// <summary>Writes the page.</summary>
    /// <param name="directory">Where the directory is.</param>
    /// <param name="path">Its path in URLs, ending with a slash.</param>
    public static string Write(string directory, string path)
    {
        string title = WebUtility.HtmlEncode(path);
        StringBuilder page = new();
        page.Append(CultureInfo.InvariantCulture, $"""
            <!DOCTYPE html>
            <html><head><meta charset="utf-8"><title>{title}</title>
            <style>body{"{"}font-family:monospace{"}"} td{"{"}padding-right:2em{"}"}</style></head>
            <body><h1>{title}</h1><table>

            """);
        if (path != "/")
            page.Append("<tr><td><a href=\"../\">../</a></td><td></td></tr>\n");
        DirectoryInfo info = new(directory);
        foreach (DirectoryInfo sub in info.EnumerateDirectories().OrderBy(d => d.Name, StringComparer.Ordinal))
            AppendRow(page, sub.Name + "/", "");
        foreach (FileInfo file in info.EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal))
            AppendRow(page, file.Name, file.Exists ? file.Length.ToString(CultureInfo.InvariantCulture) : "");
        page.Append("</table></body></html>\n");
        return page.ToString();
    }

    // The leading "./" keeps a name with a colon from being read as a URL with a scheme.
    private static void AppendRow(StringBuilder page, string name, string size)
    {
        string link = "./" + Uri.EscapeDataString(name).Replace("%2F", "/", StringComparison.Ordinal);
        page.Append(CultureInfo.InvariantCulture,
            $"<tr><td><a href=\"{link}\">{WebUtility.HtmlEncode(name)}</a></td><td>{size}</td></tr>\n");
    }
}
