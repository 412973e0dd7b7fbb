"""Greetings."""

from fastmcp import Client

TOOL = "{{package}}_greet"


async def test_a_name_is_greeted(client: Client) -> None:
    answer = await client.call_tool(TOOL, {"name": "Ada"})
    assert answer.structured_content == {"text": "Hello, Ada!"}


async def test_a_misspelt_argument_is_refused(client: Client) -> None:
    answer = await client.call_tool(TOOL, {"nam": "Ada"}, raise_on_error=False)
    assert answer.is_error
