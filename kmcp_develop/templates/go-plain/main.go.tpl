// The MCP server {{name}}: over stdio, or over streamable HTTP. Every file *_tool.go holds one tool.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const name = "{{name}}"

// tools holds what adds each tool; files of tools append to it in their init.
var tools []func(*mcp.Server)

func newServer() *mcp.Server {
	options := &mcp.ServerOptions{Instructions: "Say here when to use these tools.", Capabilities: &mcp.ServerCapabilities{}}
	server := mcp.NewServer(&mcp.Implementation{Name: name, Version: "0.1.0"}, options)
	for _, add := range tools {
		add(server)
	}
	return server
}

func serveHTTP(ctx context.Context) error {
	server := newServer()
	options := &mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, options)
	routes := http.NewServeMux()
	// A web page of another origin gets nothing, whatever host it names.
	routes.Handle("/mcp", http.NewCrossOriginProtection().Handler(handler))
	address := net.JoinHostPort(setting("HOST", "127.0.0.1"), setting("PORT", "8000"))
	served := &http.Server{Addr: address, Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		stopped <- served.Shutdown(within)
	}()
	fmt.Fprintf(os.Stderr, "%s: http://%s/mcp\n", name, address)
	if err := served.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func setting(key, otherwise string) string {
	if found := os.Getenv(key); found != "" {
		return found
	}
	return otherwise
}

func run(transport string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch transport {
	case "http":
		return serveHTTP(ctx)
	case "stdio":
		if err := newServer().Run(ctx, &mcp.StdioTransport{}); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	default:
		return fmt.Errorf("%s is neither stdio nor http", transport)
	}
}

func main() {
	transport := "stdio"
	if len(os.Args) > 1 {
		transport = os.Args[1]
	}
	if err := run(transport); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
