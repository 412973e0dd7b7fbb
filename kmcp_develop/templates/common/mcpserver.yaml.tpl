# `kmcp-suite deploy` applies it. Whoever reaches the pod may call its tools: let a NetworkPolicy say who does.
apiVersion: kagent.dev/v1alpha1
kind: MCPServer
metadata:
  name: {{name}}
spec:
  transportType: http
  httpTransport:
    targetPort: 8000
    path: /mcp
  deployment:
    image: localhost/{{name}}:0.1.0
    port: 8000
