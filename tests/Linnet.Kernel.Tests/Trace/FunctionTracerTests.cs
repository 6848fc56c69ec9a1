using System.Reflection;
using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Kernel.Tests.Trace;

public class FunctionTracerTests
{
    private readonly TraceTree tree = new();

    [Fact]
    public void A_traced_call_is_reported_with_symbol_file_arguments_and_result()
    {
        bool got;
        using (TraceSession.Start(tree, Beautifier.Instance))
            got = Module.TryModuleGet(null);

        Assert.True(got);
        TraceNode node = Assert.Single(MyCalls("try_module_get"));
        Assert.StartsWith("kernel/module", node.Call.Point.File);
        Assert.Equal("Kernel/Module.cs", node.Call.Point.SourceFile);
        TraceValue argument = Assert.Single(node.Call.Arguments);
        Assert.Equal(("module", "NULL"), (argument.Parameter.Name, argument.Text));
        Assert.Equal(("true", 1L), (node.Call.Result!.Value.Text, node.Call.Result.Value.Raw!.Value));
        Assert.True(node.Call.HasLeft);
        Assert.Null(node.Call.Exception);
    }

    [Fact]
    public void Nothing_is_reported_after_the_session_has_ended()
    {
        using (TraceSession.Start(tree, Beautifier.Instance))
            Module.TryModuleGet(null);
        Assert.Single(MyCalls("try_module_get"));
        Module.TryModuleGet(null);
        Assert.Single(MyCalls("try_module_get"));
    }

    [Fact]
    public void A_call_that_throws_is_reported_and_the_next_call_is_no_child_of_it()
    {
        var module = new EmptyModule();
        using (TraceSession.Start(tree, Beautifier.Instance))
        {
            Assert.Throws<BugException>(() => Module.ModulePut(module));
            Module.TryModuleGet(null);
        }

        TraceNode put = Assert.Single(MyCalls("module_put"));
        Assert.Equal(nameof(BugException), put.Call.Exception);
        Assert.Empty(put.Children);
        Assert.Equal(0, MyCalls("try_module_get").Single().Call.Depth);
    }

    [Fact]
    public void A_session_for_one_machine_sees_nothing_of_calls_outside_of_it()
    {
        var machine = (Machine)RuntimeHelpers.GetUninitializedObject(typeof(Machine));
        using (TraceSession.Start(tree, Beautifier.Instance, machine))
            Module.TryModuleGet(null);
        Assert.Empty(tree.Roots);
    }

    // The compiler did not write this code, so nothing else has checked it.
    [Fact]
    public void Every_woven_method_is_valid_code()
    {
        var prepared = 0;
        const BindingFlags Any = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic
            | BindingFlags.DeclaredOnly;
        foreach (Type type in typeof(Machine).Assembly.GetTypes().Where(t => !t.ContainsGenericParameters))
        {
            MethodInfo[] methods = type.GetMethods(Any);
            foreach (MethodInfo twin in methods.Where(m => m.Name.EndsWith("__traced", StringComparison.Ordinal)))
            {
                string name = twin.Name[..^"__traced".Length];
                foreach (MethodInfo method in methods.Where(m => m == twin || m.Name == name).Where(m => !m.ContainsGenericParameters))
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                    prepared++;
                }
            }
        }

        Assert.True(prepared >= 2 * TracePoint.All.Count(p => p.IsTraced) - 20, $"only {prepared} methods");
        Assert.NotEmpty(TracePoint.All);
    }

    // Other tests of the process may run kernel code meanwhile.
    private IEnumerable<TraceNode> MyCalls(string symbol) =>
        tree.Roots.SelectMany(r => r.Walk()).Where(n => n.Call.Point.Symbol == symbol && n.Call.Machine == null);

    private sealed class EmptyModule() : Module("empty")
    {
        protected internal override int Init(Machine machine) => 0;

        protected internal override void Exit(Machine machine)
        {
        }
    }
}
