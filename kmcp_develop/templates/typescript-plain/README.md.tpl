# {{title}}

Tools of {{title}}, as an MCP server.

| Tool | What it answers |
|---|---|
| `{{package}}_greet` | A greeting, from the server to a name. |

`kmcp-suite add-tool NAME` adds one, `kmcp-suite run` serves them while you write, `make check test` checks them,
`kmcp-suite build` makes the image and `kmcp-suite deploy` runs it in a cluster.

It takes Node.js 20 or newer. `make build` compiles it; `node dist/src/server.js stdio` serves over stdio and
`node dist/src/server.js http` over streamable HTTP, at `HOST` (127.0.0.1) and `PORT` (8000).
