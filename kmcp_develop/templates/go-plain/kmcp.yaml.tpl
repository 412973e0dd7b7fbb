name: {{name}}
language: go
kind: plain
image: localhost/{{name}}:0.1.0
build: [make, --silent, build]
command: [bin/{{name}}, stdio]
