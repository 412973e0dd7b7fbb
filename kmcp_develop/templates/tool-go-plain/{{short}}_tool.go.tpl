package main

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type {{lower}}Arguments struct {
	Name string `json:"name" jsonschema:"What to answer about"`
}

type {{lower}}Answer struct {
	Text string `json:"text" jsonschema:"The answer"`
}

func {{lower}}Tool(
	_ context.Context, _ *mcp.CallToolRequest, given {{lower}}Arguments,
) (*mcp.CallToolResult, {{lower}}Answer, error) {
	return nil, {{lower}}Answer{Text: given.Name}, nil
}

func init() {
	tools = append(tools, func(server *mcp.Server) {
		mcp.AddTool(server, &mcp.Tool{
			Name:        "{{tool}}",
			Title:       "{{title}}",
			Description: "Say what this tool answers, and when to use it.",
			Annotations: reads(),
		}, {{lower}}Tool)
	})
}
