package com.example.{{package}};

import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.transport.StdioServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.slf4j.LoggerFactory;

/** The MCP server {{name}}: over stdio, or over streamable HTTP. */
public final class Main {
    static final String NAME = "{{name}}";
    static final String VERSION = "0.1.0";
    static final String INSTRUCTIONS = "Say here when to use these tools.";

    private Main() {}

    static List<Tool> tools() {
        return ServiceLoader.load(Tool.class).stream().map(ServiceLoader.Provider::get).toList();
    }

    static McpSchema.CallToolResult call(Tool tool, McpSchema.CallToolRequest request) {
        try {
            Map<String, Object> answer = tool.call(request.arguments());
            return result(answer, false);
        } catch (Failure failure) {
            return result(failure.body(), true);
        } catch (RuntimeException error) {
            // How the server is made is nothing for its callers.
            LoggerFactory.getLogger(tool.getClass()).error("a call failed", error);
            return result(new Failure(Failure.Code.internal, "the tool failed", "see the log of the server").body(), true);
        }
    }

    private static McpSchema.CallToolResult result(Map<String, Object> body, boolean failed) {
        try {
            McpSchema.CallToolResult.Builder made = McpSchema.CallToolResult.builder()
                    .addTextContent(McpJsonDefaults.getMapper().writeValueAsString(body))
                    .isError(failed);
            return (failed ? made : made.structuredContent(body)).build();
        } catch (IOException error) {
            throw new IllegalStateException("an answer is no JSON", error);
        }
    }

    private static void serveStdio() {
        var server = McpServer.sync(new StdioServerTransportProvider(McpJsonDefaults.getMapper()))
                .serverInfo(NAME, VERSION)
                .instructions(INSTRUCTIONS)
                .capabilities(McpSchema.ServerCapabilities.builder().tools(false).build());
        for (Tool tool : tools()) {
            server.toolCall(tool.describe(), (exchange, request) -> call(tool, request));
        }
        server.build();
    }

    private static String setting(String key, String otherwise) {
        String found = System.getenv(key);
        return found == null || found.isEmpty() ? otherwise : found;
    }

    public static void main(String[] words) {
        String transport = words.length > 0 ? words[0] : "stdio";
        try {
            switch (transport) {
                case "stdio" -> serveStdio();
                case "http" -> {
                    String host = setting("HOST", "127.0.0.1");
                    int port = HttpServer.start(host, Integer.parseInt(setting("PORT", "8000"))).port();
                    System.err.printf("%s: http://%s:%d/mcp%n", NAME, host, port);
                }
                default -> throw new IllegalArgumentException(transport + " is neither stdio nor http");
            }
        } catch (Exception error) {
            System.err.printf("%s: %s%n", NAME, error.getMessage());
            System.exit(1);
        }
    }
}
