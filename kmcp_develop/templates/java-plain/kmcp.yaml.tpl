name: {{name}}
language: java
kind: plain
image: localhost/{{name}}:0.1.0
build: [make, --silent, build]
command: [java, -jar, target/{{name}}.jar, stdio]
