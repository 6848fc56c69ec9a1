using System.Text;

namespace Linnet.Cli.Watch;

/// <summary>What the keys of the live view do.</summary>
/// <param name="control">Changes links.</param>
/// <param name="quit">Ends what runs.</param>
internal sealed class KeyReader(LinkControl control, Action quit)
{
    private const char Escape = '\e', Backspace = '\x7f', ControlH = '\b', ControlU = '\x15', Enter = '\r', NewLine = '\n';

    private readonly StringBuilder typed = new();
    private Asking asking;
    private LinkAnswer? answer;

    private enum Asking
    {
        Nothing,
        Words,
        Host,
    }

    /// <summary>The picture's last line.</summary>
    public Line Prompt => asking switch
    {
        Asking.Words => new Line().Add("link [HOST|NETWORK] WORDS: ", Ink.Strong).Add(typed + "_"),
        Asking.Host => new Line().Add($"cut or heal ({string.Join(", ", control.Hosts)}): ", Ink.Strong).Add(typed + "_"),
        _ when answer is { } said => new Line().Add(FirstLine(said.Text), said.Status == 0 ? Ink.Good : Ink.Bad),
        _ => new Line().Add("l", Ink.Strong).Add(" change a link  ", Ink.Faint).Add("c", Ink.Strong)
            .Add(" cut or heal a host  ", Ink.Faint).Add("q", Ink.Strong).Add(" end", Ink.Faint),
    };

    /// <summary>Takes what came from the terminal at once.</summary>
    public void Take(ReadOnlySpan<byte> keys)
    {
        // Keys without a letter come as escape and more; escape alone is a key.
        if (keys.Length > 0 && keys[0] == Escape)
        {
            if (keys.Length == 1)
                asking = Asking.Nothing;
            return;
        }

        foreach (char key in Encoding.UTF8.GetString(keys))
        {
            if (asking == Asking.Nothing)
                Command(key);
            else
                Type(key);
        }
    }

    private void Command(char key)
    {
        answer = null;
        switch (key)
        {
            case 'l':
                Ask(Asking.Words);
                break;
            case 'c' when control.Hosts is [var only]:
                Toggle(only);
                break;
            case 'c':
                Ask(Asking.Host);
                break;
            case 'q':
                quit();
                break;
        }
    }

    private void Ask(Asking what)
    {
        asking = what;
        typed.Clear();
    }

    private void Type(char key)
    {
        switch (key)
        {
            case Enter or NewLine:
                Asking asked = asking;
                asking = Asking.Nothing;
                Finish(asked, typed.ToString());
                break;
            case Backspace or ControlH:
                typed.Length = Math.Max(0, typed.Length - 1);
                break;
            case ControlU:
                typed.Clear();
                break;
            case var _ when !char.IsControl(key):
                typed.Append(key);
                break;
        }
    }

    private void Finish(Asking asked, string text)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
            return;
        if (asked == Asking.Words)
            answer = control.Do(words);
        else if (control.Hosts.Contains(words[0]))
            Toggle(words[0]);
        else
            answer = new LinkAnswer(2, $"there is no host '{words[0]}'");
    }

    private void Toggle(string host) => answer = control.Do([host, control.IsCut(host) ? "heal" : "cut"]);

    private static string FirstLine(string text) =>
        text.Trim('\n').Split('\n') is [var first, .. var others] && others.Length > 0 ? $"{first}  …" : text.Trim('\n');
}
