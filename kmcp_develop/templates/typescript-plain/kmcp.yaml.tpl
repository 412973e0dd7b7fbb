name: {{name}}
language: typescript
kind: plain
image: localhost/{{name}}:0.1.0
build: [make, --silent, build]
command: [node, dist/src/server.js, stdio]
