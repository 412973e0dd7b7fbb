package com.example.{{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;

class {{camel}}ToolTest {
    @Test
    void itAnswers() throws Exception {
        try (var client = new ToolClient()) {
            var answer = client.call("{{tool}}", Map.of("name", "Ada"));
            assertEquals(Map.of("text", "Ada"), answer.structuredContent());
        }
    }
}
