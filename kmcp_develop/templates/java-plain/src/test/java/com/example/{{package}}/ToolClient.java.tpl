package com.example.{{package}};

import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.McpSyncClient;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.spec.McpSchema;
import java.util.Map;

/** The server, as an MCP client sees it. */
final class ToolClient implements AutoCloseable {
    private final HttpServer server;
    private final McpSyncClient client;

    ToolClient() throws Exception {
        server = HttpServer.start("127.0.0.1", 0);
        client = McpClient.sync(HttpClientStreamableHttpTransport.builder("http://127.0.0.1:" + server.port()).build())
                .build();
        client.initialize();
    }

    McpSchema.CallToolResult call(String tool, Map<String, Object> arguments) {
        return client.callTool(McpSchema.CallToolRequest.builder(tool).arguments(arguments).build());
    }

    @Override
    public void close() throws Exception {
        client.close();
        server.close();
    }
}
