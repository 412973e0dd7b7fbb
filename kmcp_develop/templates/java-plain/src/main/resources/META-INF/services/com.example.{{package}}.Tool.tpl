com.example.{{package}}.GreetTool
