name: {{name}}
language: python
kind: suite
image: localhost/{{name}}:0.1.0
command: [.venv/bin/kmcp-{{name}}, --transport, stdio]
