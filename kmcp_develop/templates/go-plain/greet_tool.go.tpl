package main

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type greetArguments struct {
	Name string `json:"name" jsonschema:"Whom to greet"`
}

type greeting struct {
	Text string `json:"text" jsonschema:"The greeting"`
}

func greet(_ context.Context, _ *mcp.CallToolRequest, given greetArguments) (*mcp.CallToolResult, greeting, error) {
	if strings.TrimSpace(given.Name) == "" {
		return nil, greeting{}, failure{"bad_argument", "name is empty", "give the name of somebody"}
	}
	return nil, greeting{Text: "Hello, " + given.Name + "!"}, nil
}

func init() {
	tools = append(tools, func(server *mcp.Server) {
		mcp.AddTool(server, &mcp.Tool{
			Name:        "{{package}}_greet",
			Title:       "Greet",
			Description: "Greet somebody by name; use it to see that the server answers.",
			Annotations: reads(),
		}, greet)
	})
}
