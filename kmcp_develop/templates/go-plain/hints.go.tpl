package main

import "github.com/modelcontextprotocol/go-sdk/mcp"

// reads are the hints of a tool that changes nothing and asks nobody outside.
func reads() *mcp.ToolAnnotations {
	no := false
	return &mcp.ToolAnnotations{ReadOnlyHint: true, DestructiveHint: &no, IdempotentHint: true, OpenWorldHint: &no}
}
