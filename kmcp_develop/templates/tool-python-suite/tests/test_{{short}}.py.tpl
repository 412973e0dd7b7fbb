"""{{title}}."""

from fastmcp import Client


async def test_it_answers(client: Client) -> None:
    answer = await client.call_tool("{{tool}}", {"name": "Ada"})
    assert answer.structured_content == {"text": "Ada"}
