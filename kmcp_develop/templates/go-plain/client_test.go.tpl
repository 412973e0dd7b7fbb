package main

import (
	"context"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// call asks the server for a tool, as an MCP client does.
func call(t *testing.T, tool string, arguments map[string]any) *mcp.CallToolResult {
	t.Helper()
	ctx := context.Background()
	ours, theirs := mcp.NewInMemoryTransports()
	served, err := newServer().Connect(ctx, ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mcp.NewClient(&mcp.Implementation{Name: "tests", Version: "0"}, nil).Connect(ctx, theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := served.Wait(); err != nil {
			t.Error(err)
		}
	})
	answer, err := client.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
