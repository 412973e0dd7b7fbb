# {{title}}

Tools of {{title}}, as a server of kmcp-suite.

| Tool | What it answers |
|---|---|
| `{{package}}_greet` | A greeting, from the server to a name. |

`kmcp-suite add-tool NAME` adds one, `kmcp-suite run` serves them while you write, `make check test` checks them,
`kmcp-suite build` makes the image and `kmcp-suite deploy` runs it in a cluster.
