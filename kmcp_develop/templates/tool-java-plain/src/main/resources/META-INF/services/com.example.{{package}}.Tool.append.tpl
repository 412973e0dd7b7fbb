com.example.{{package}}.{{camel}}Tool
