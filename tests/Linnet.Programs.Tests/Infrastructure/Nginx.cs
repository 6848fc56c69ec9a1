namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>nginx with all its files in a lab's folder.</summary>
internal static class Nginx
{
    /// <summary>Writes a configuration. Pages are in <c>html</c>, the access log is <c>NAME.log</c>, the process <c>NAME.pid</c>.</summary>
    /// <param name="lab">Where it is written.</param>
    /// <param name="name">The server's name.</param>
    /// <param name="server">Directives of its one <c>server</c> block.</param>
    /// <param name="http">Directives of the <c>http</c> block.</param>
    /// <returns>The command that runs it.</returns>
    public static string Configure(RealLab lab, string name, string server, string http = "")
    {
        lab.Write($"{name}.conf", $$"""
            daemon off;
            user root;
            worker_processes 2;
            worker_rlimit_nofile 16384;
            pid {{name}}.pid;
            error_log stderr;
            events { worker_connections 8192; }
            http {
                access_log {{name}}.log;
                sendfile on;
                client_max_body_size 0;
                client_body_temp_path {{name}}-bodies;
                proxy_temp_path {{name}}-proxied;
                fastcgi_temp_path {{name}}-fastcgi;
                scgi_temp_path {{name}}-scgi;
                uwsgi_temp_path {{name}}-uwsgi;
                {{http}}
                server {
                    root html;
                    {{server}}
                }
            }
            """);
        return $"exec nginx -p {lab.Folder} -c {name}.conf";
    }
}
