using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Code;

/// <summary>
/// The code blocks of a run. As in packetdrill, a block only notes what the socket looked like when its event came; all of them run
/// at the end, in order, as one program, so that variables carry over.
/// </summary>
/// <param name="path">The script's file, for messages.</param>
public sealed class CodeBlocks(string path)
{
    private readonly List<(CodeAction Block, CodeSnapshot Snapshot)> blocks = [];

    /// <summary>Notes that a block's event came.</summary>
    public void Add(CodeAction block, CodeSnapshot snapshot) => blocks.Add((block, snapshot));

    /// <summary>Runs all blocks.</summary>
    /// <param name="print">Takes what <c>print</c> prints, a line at a time.</param>
    /// <exception cref="ScriptException">An assertion failed, or the code is none; names file and line.</exception>
    public void Run(Action<string>? print = null)
    {
        CodeProgram program = new(print ?? (_ => { }));
        foreach ((CodeAction block, CodeSnapshot snapshot) in blocks)
        {
            CodeNames.SetAll(program, snapshot);
            try
            {
                program.Run(block.Text, block.Line);
            }
            catch (CodeException e)
            {
                throw new ScriptException(path, e.Line, $"error executing code: {e.Message}");
            }
        }
    }
}
