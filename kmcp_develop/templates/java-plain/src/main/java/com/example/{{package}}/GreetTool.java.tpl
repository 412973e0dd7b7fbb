package com.example.{{package}};

import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.spec.McpSchema;
import java.util.Map;

/** Greetings. */
public final class GreetTool implements Tool {
    private static final String INPUT = """
            {
              "type": "object",
              "properties": {"name": {"type": "string", "description": "Whom to greet"}},
              "required": ["name"],
              "additionalProperties": false
            }
            """;
    private static final String OUTPUT = """
            {
              "type": "object",
              "properties": {"text": {"type": "string", "description": "The greeting"}},
              "required": ["text"]
            }
            """;

    @Override
    public McpSchema.Tool describe() {
        return McpSchema.Tool.builder("{{package}}_greet", McpJsonDefaults.getMapper(), INPUT)
                .title("Greet")
                .description("Greet somebody by name; use it to see that the server answers.")
                .annotations(READS)
                .outputSchema(McpJsonDefaults.getMapper(), OUTPUT)
                .build();
    }

    @Override
    public Map<String, Object> call(Map<String, Object> arguments) throws Failure {
        String name = (String) arguments.get("name");
        if (name.isBlank()) {
            throw new Failure(Failure.Code.bad_argument, "name is empty", "give the name of somebody");
        }
        return Map.of("text", "Hello, " + name + "!");
    }
}
