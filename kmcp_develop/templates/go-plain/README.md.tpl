# {{title}}

Tools of {{title}}, as an MCP server.

| Tool | What it answers |
|---|---|
| `{{package}}_greet` | A greeting, from the server to a name. |

`kmcp-suite add-tool NAME` adds one, `kmcp-suite run` serves them while you write, `make check test` checks them,
`kmcp-suite build` makes the image and `kmcp-suite deploy` runs it in a cluster.

It takes Go 1.25 or newer. `make build` compiles it; `bin/{{name}} stdio` serves over stdio and `bin/{{name}} http` over
streamable HTTP, at `HOST` (127.0.0.1) and `PORT` (8000). The module is `example.com/{{name}}` until you name your own.
