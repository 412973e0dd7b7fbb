package com.example.{{package}};

import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.transport.DefaultServerTransportSecurityValidator;
import io.modelcontextprotocol.server.transport.HttpServletStatelessServerTransport;
import io.modelcontextprotocol.spec.McpSchema;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;
import org.eclipse.jetty.ee11.servlet.ServletContextHandler;
import org.eclipse.jetty.ee11.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** Streamable HTTP without sessions, so that any replica answers any request. */
final class HttpServer implements AutoCloseable {
    private static final Set<String> LOOPBACK = Set.of("127.0.0.1", "::1", "localhost");

    private final Server jetty;

    private HttpServer(Server jetty) {
        this.jetty = jetty;
    }

    /** Port 0 takes any free one. */
    static HttpServer start(String host, int port) throws Exception {
        var transport = HttpServletStatelessServerTransport.builder().messageEndpoint("/mcp");
        if (LOOPBACK.contains(host)) {
            // On a person's machine a web page must not reach the server by a name that it chose itself.
            transport.httpHeaderValidator(DefaultServerTransportSecurityValidator.builder()
                    .allowedHosts(List.of("localhost:*", "127.0.0.1:*", "[::1]:*"))
                    .allowedOrigins(List.of("http://localhost:*", "http://127.0.0.1:*"))
                    .build());
        }
        HttpServletStatelessServerTransport servlet = transport.build();
        var server = McpServer.sync(servlet)
                .serverInfo(Main.NAME, Main.VERSION)
                .instructions(Main.INSTRUCTIONS)
                .capabilities(McpSchema.ServerCapabilities.builder().tools(false).build());
        for (Tool tool : Main.tools()) {
            server.toolCall(tool.describe(), (context, request) -> Main.call(tool, request));
        }
        server.build();
        var context = new ServletContextHandler();
        var holder = new ServletHolder(servlet);
        holder.setAsyncSupported(true);
        context.addServlet(holder, "/mcp");
        Server jetty = new Server(new InetSocketAddress(host, port));
        jetty.setHandler(context);
        jetty.setStopAtShutdown(true);
        jetty.start();
        return new HttpServer(jetty);
    }

    int port() {
        return ((ServerConnector) jetty.getConnectors()[0]).getLocalPort();
    }

    @Override
    public void close() throws Exception {
        jetty.stop();
    }
}
