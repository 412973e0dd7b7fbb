package com.example.{{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GreetToolTest {
    private static final String TOOL = "{{package}}_greet";

    @Test
    void aNameIsGreeted() throws Exception {
        try (var client = new ToolClient()) {
            var answer = client.call(TOOL, Map.of("name", "Ada"));
            assertEquals(Map.of("text", "Hello, Ada!"), answer.structuredContent());
        }
    }

    @Test
    void whatCannotBeGreetedIsRefused() throws Exception {
        try (var client = new ToolClient()) {
            for (Map<String, Object> given : List.<Map<String, Object>>of(Map.of("nam", "Ada"), Map.of("name", " "))) {
                assertTrue(client.call(TOOL, given).isError(), given.toString());
            }
        }
    }
}
