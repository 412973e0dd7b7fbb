"""{{title}}."""

from fastmcp import Client

TOOL = "{{tool}}"


async def test_it_answers(client: Client) -> None:
    answer = await client.call_tool(TOOL, {"name": "Ada"})
    assert answer.structured_content == {"text": "Ada"}
