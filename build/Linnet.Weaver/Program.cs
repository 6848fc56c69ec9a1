using Linnet.Weaver;
using Mono.Cecil;
using Mono.Cecil.Cil;

if (args.Length != 3)
{
    Console.Error.WriteLine("usage: Linnet.Weaver ASSEMBLY PROJECT-DIRECTORY FILE-WITH-REFERENCES");
    return 2;
}

string assemblyPath = args[0];
using var resolver = new DefaultAssemblyResolver();
foreach (string directory in File.ReadLines(args[2]).Select(path => Path.GetDirectoryName(path)!).Distinct())
    resolver.AddSearchDirectory(directory);

// Read into memory: the same file is written at the end.
using var input = new MemoryStream(File.ReadAllBytes(assemblyPath));
string pdbPath = Path.ChangeExtension(assemblyPath, ".pdb");
using var symbols = new MemoryStream(File.ReadAllBytes(pdbPath));
using var module = ModuleDefinition.ReadModule(input, new ReaderParameters
{
    AssemblyResolver = resolver,
    ReadSymbols = true,
    SymbolReaderProvider = new PortablePdbReaderProvider(),
    SymbolStream = symbols,
});

var weaver = new TraceWeaver(module, Path.GetFullPath(args[1]));
if (weaver.IsWoven)
    return 0;
weaver.Weave();
foreach (string error in weaver.Errors)
    Console.Error.WriteLine(error);
if (weaver.Errors.Count > 0)
    return 1;

// Beside the target first, so that an interrupted build leaves no half-written assembly.
string woven = assemblyPath + ".woven.dll";
module.Write(woven, new WriterParameters
{
    WriteSymbols = true,
    SymbolWriterProvider = new PortablePdbWriterProvider(),
    DeterministicMvid = true,
});
File.Move(Path.ChangeExtension(woven, ".pdb"), pdbPath, overwrite: true);
File.Move(woven, assemblyPath, overwrite: true);
return 0;
