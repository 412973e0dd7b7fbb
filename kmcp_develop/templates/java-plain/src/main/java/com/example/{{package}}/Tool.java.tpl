package com.example.{{package}};

import io.modelcontextprotocol.spec.McpSchema;
import java.util.Map;

/** One tool. Its class is named in META-INF/services, where the server finds it. */
public interface Tool {
    /** What changes nothing and asks nobody outside. */
    McpSchema.ToolAnnotations READS = McpSchema.ToolAnnotations.builder()
            .readOnlyHint(true)
            .destructiveHint(false)
            .idempotentHint(true)
            .openWorldHint(false)
            .build();

    McpSchema.Tool describe();

    /** The arguments fit the schema of {@link #describe}; so must the answer. */
    Map<String, Object> call(Map<String, Object> arguments) throws Failure;
}
