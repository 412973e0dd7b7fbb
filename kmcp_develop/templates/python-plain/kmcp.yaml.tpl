name: {{name}}
language: python
kind: plain
image: localhost/{{name}}:0.1.0
command: [.venv/bin/{{name}}, stdio]
