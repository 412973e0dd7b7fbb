package com.example.{{package}};

import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.spec.McpSchema;
import java.util.Map;

/** {{title}}. */
public final class {{camel}}Tool implements Tool {
    private static final String INPUT = """
            {
              "type": "object",
              "properties": {"name": {"type": "string", "description": "What to answer about"}},
              "required": ["name"],
              "additionalProperties": false
            }
            """;
    private static final String OUTPUT = """
            {
              "type": "object",
              "properties": {"text": {"type": "string", "description": "The answer"}},
              "required": ["text"]
            }
            """;

    @Override
    public McpSchema.Tool describe() {
        return McpSchema.Tool.builder("{{tool}}", McpJsonDefaults.getMapper(), INPUT)
                .title("{{title}}")
                .description("Say what this tool answers, and when to use it.")
                .annotations(READS)
                .outputSchema(McpJsonDefaults.getMapper(), OUTPUT)
                .build();
    }

    @Override
    public Map<String, Object> call(Map<String, Object> arguments) throws Failure {
        return Map.of("text", arguments.get("name"));
    }
}
