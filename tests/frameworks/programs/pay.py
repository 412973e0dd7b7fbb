"""Lists and calls the tools of a running server as one agent framework does, and prints what its model would read.

usage: pay.py FRAMEWORK TOOL ARGUMENTS URL …   (prints for each address `{"listed": text, "answered": text}`)
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

Json = dict[str, Any]
Reader = Callable[[str, str, Json], Awaitable[tuple[Any, Any]]]
"""From an address, a tool and its arguments to the declarations of all tools and the answer, as a model gets them."""


async def of_google_genai(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    """Its automatic calls hand the whole result on."""
    types = import_module("google.genai.types")
    adapters, declared = import_module("google.genai._adapters"), import_module("google.genai._mcp_utils")
    http, session_of = import_module("mcp.client.streamable_http"), import_module("mcp").ClientSession
    async with http.streamable_http_client(url) as streams, session_of(*streams[:2]) as session:
        await session.initialize()
        listed = await session.list_tools()
        adapter = adapters.McpToGenAiToolAdapter(session, listed)
        result = await adapter.call_tool(types.FunctionCall(name=tool, args=arguments))
        part = types.Part.from_function_response(name=tool, response={"result": result})
        tools = [each.model_dump(mode="json", exclude_none=True) for each in declared.mcp_to_gemini_tools(listed.tools)]
        return tools, part.model_dump(mode="json", exclude_none=True)


async def of_google_adk(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    adk = import_module("google.adk.tools.mcp_tool")
    toolset = adk.McpToolset(connection_params=adk.StreamableHTTPConnectionParams(url=url))
    tools = await toolset.get_tools()
    found = next(each for each in tools if each.name == tool)
    result = await found.run_async(args=arguments, tool_context=await _adk_context())
    await toolset.close()
    return [each._get_declaration().model_dump(mode="json", exclude_none=True) for each in tools], result


async def _adk_context() -> Any:
    """The context of a call within a conversation that has just begun."""
    invocation = import_module("google.adk.agents.invocation_context").InvocationContext
    service = import_module("google.adk.sessions").InMemorySessionService()
    agent = import_module("google.adk.agents").LlmAgent(name="someone")
    session = await service.create_session(app_name="some", user_id="one")
    context = invocation(session_service=service, invocation_id="1", agent=agent, session=session)
    return import_module("google.adk.tools.tool_context").ToolContext(context, function_call_id="1")


async def of_openai_agents(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    mcp, context = import_module("agents.mcp"), import_module("agents").RunContextWrapper(None)
    async with mcp.MCPServerStreamableHttp({"url": url}) as server:
        tools = await server.list_tools()
        functions = [mcp.MCPUtil.to_function_tool(each, server, convert_schemas_to_strict=False) for each in tools]
        found = next(each for each in tools if each.name == tool)
        answer = await mcp.MCPUtil.invoke_mcp_tool(server, found, context, json.dumps(arguments))
        names = ("name", "description", "params_json_schema")
        return [{name: getattr(each, name) for name in names} for each in functions], answer


async def of_autogen(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    mcp, cancellation = import_module("autogen_ext.tools.mcp"), import_module("autogen_core").CancellationToken
    tools = await mcp.mcp_server_tools(mcp.StreamableHttpServerParams(url=url))
    found = next(each for each in tools if each.name == tool)
    result = await found.run_json(arguments, cancellation())
    return [each.schema for each in tools], found.return_value_as_string(result)


async def of_llama_index(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    mcp = import_module("llama_index.tools.mcp")
    tools = await mcp.McpToolSpec(mcp.BasicMCPClient(url)).to_tool_list_async()
    found = next(each for each in tools if each.metadata.name == tool)
    output = await found.acall(**arguments)
    return [each.metadata.to_openai_tool(skip_length_check=True) for each in tools], output.content


async def of_langchain(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    client = import_module("langchain_mcp_adapters.client").MultiServerMCPClient
    sent = import_module("langchain_core.utils.function_calling").convert_to_openai_tool
    tools = await client({"one": {"url": url, "transport": "streamable_http"}}).get_tools()
    found = next(each for each in tools if each.name == tool)
    message = await found.ainvoke({"name": tool, "args": arguments, "id": "1", "type": "tool_call"})
    return [sent(each) for each in tools], message.content


async def of_pydantic_ai(url: str, tool: str, arguments: Json) -> tuple[Any, Any]:
    toolset = import_module("pydantic_ai.mcp").MCPToolset(url)
    run, usage = import_module("pydantic_ai.tools").RunContext, import_module("pydantic_ai.usage").RunUsage
    model = import_module("pydantic_ai.models.test").TestModel()
    context = run(deps=None, model=model, usage=usage())
    async with toolset:
        tools = await toolset.get_tools(context)
        result = await toolset.call_tool(tool, arguments, context, tools[tool])
    declared = [each.tool_def for each in tools.values()]
    answer = import_module("pydantic_ai.messages").ToolReturnPart(tool, result, "1").model_response_str()
    names = ("name", "description", "parameters_json_schema")
    return [{name: getattr(each, name) for name in names} for each in declared], answer


READERS: dict[str, Reader] = {
    "google-genai": of_google_genai,
    "google-adk": of_google_adk,
    "openai-agents": of_openai_agents,
    "autogen-core": of_autogen,
    "llama-index-tools-mcp": of_llama_index,
    "langchain-mcp-adapters": of_langchain,
    "pydantic-ai (OpenAI)": of_pydantic_ai,
}


def text(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, separators=(",", ":"), ensure_ascii=False)


async def main(framework: str, tool: str, arguments: str, *urls: str) -> None:
    found = []
    for url in urls:
        listed, answered = await READERS[framework](url, tool, json.loads(arguments))
        found.append({"listed": text(listed), "answered": text(answered)})
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
