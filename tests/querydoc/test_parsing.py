"""Documents of each format as titled sections, and sections as chunks."""

import pytest

from kmcp_querydoc.parsing import FORMATS
from kmcp_querydoc.parsing.chunking import MOST_CHARACTERS, cut
from kmcp_querydoc.parsing.document import Document, Section


def outline(form: str, text: str) -> list[tuple[str, str, str]]:
    """Title and headings, anchor and text of every section."""
    document = FORMATS[form](text)
    return [(" > ".join((document.title, *each.path)), each.anchor, each.text) for each in document.sections]


def test_markdown_by_its_headings() -> None:
    text = (
        "intro\n\n# Title #\n\nlead\n\nSetext\n------\nbody\n\n### Deep `code` {#given}\n\nmore\n\n## Setext\n\nagain\n"
    )
    assert outline("markdown", text) == [
        ("Title", "", "intro"),
        ("Title", "", "lead"),
        ("Title > Setext", "setext", "body"),
        ("Title > Setext > Deep code", "given", "more"),
        ("Title > Setext", "setext-1", "again"),
    ]


def test_in_markdown_code_is_code_whatever_it_looks_like() -> None:
    text = "# T\n\n```sh\n# no heading\n[x](y) <!-- kept -->\n```\n\n    # indented\n\n- # in a list\n"
    ((_, _, body),) = outline("markdown", text)
    assert body == "```sh\n# no heading\n[x](y) <!-- kept -->\n```\n\n    # indented\n\n- # in a list"


def test_markdown_without_what_only_a_browser_needs() -> None:
    text = (
        '---\ntitle: "From the front"\ntags: [a]\n---\n# From the front\n\n![logo](logo.png) See [storage](storage.md) '
        "and [the site](https://depot.test/x). <!-- a\ncomment --> **Bold**, a_b_c, 2*3*4 <br/>\n"
    )
    assert outline("markdown", text) == [
        (
            "From the front",
            "",
            "logo See storage and the site (https://depot.test/x).  Bold, a_b_c, 2*3*4",
        )
    ]


RST = """
.. only:: not (epub or html)

   WARNING: unreleased.

.. _policy-label:

******
Policy
******

Who may talk, see :ref:`other page <label>`, :doc:`more` and `the site <https://depot.test>`_.
Use ``--deny`` and |VERSION|.

.. note::

    Applies to *pods*.

.. toctree::

   a
   b

.. _deny:

Deny
====

Like so::

    kind: Policy

.. code-block:: yaml
   :linenos:

   spec: {}

.. tabs::

   .. group-tab:: Helm

      .. helm-install::
         :set: deny=true

.. a comment
   of two lines

Limits
------

None.

Allow
=====

Everything.
"""


def test_restructured_text_by_its_sections_and_directives() -> None:
    found = outline("restructured", RST)
    assert [(title, anchor) for title, anchor, _ in found] == [
        ("Policy", ""),
        ("Policy > Deny", "deny"),
        ("Policy > Deny > Limits", "limits"),
        ("Policy > Allow", "allow"),
    ]
    assert found[0][2] == (
        "Who may talk, see other page, more and the site (https://depot.test).\nUse `--deny` and VERSION.\n\n\n"
        "Note:\n\nApplies to pods."
    ).replace("\n\n\n", "\n\n")
    assert "```\nkind: Policy\n```" in found[1][2]
    assert "```yaml\nspec: {}\n```" in found[1][2]
    assert "Helm" in found[1][2]
    assert ":set: deny=true" in found[1][2]
    whole = "".join(text for _, _, text in found)
    for gone in ("unreleased", "toctree", "comment", "linenos", "group-tab", "::"):
        assert gone not in whole


ASCIIDOC = """= Depot
Author Name
:product: Depot

{product} stores things. See xref:other.adoc#x[the other page], <<limits,limits>> and https://depot.test[the site].

[[limits]]
== Limits

NOTE: {product} has *few*.

.Example
[source,yaml]
----
= no heading
size: {product}
----

////
hidden
////

=== Sizes

image::sizes.png[]
|===
|Name |Size
|===
"""


def test_asciidoc_by_its_sections_and_blocks() -> None:
    assert outline("asciidoc", ASCIIDOC) == [
        (
            "Depot",
            "",
            "Author Name\n\nDepot stores things. See the other page, limits and the site (https://depot.test).",
        ),
        ("Depot > Limits", "limits", "NOTE: Depot has few.\n\nExample\n```yaml\n= no heading\nsize: {product}\n```"),
        ("Depot > Limits > Sizes", "_sizes", "|Name |Size"),
    ]


HTML = """<!doctype html><html><head><title>Depot – docs</title><style>p {}</style></head><body>
<header>Depot <nav><ul><li>Home</ul></nav></header>
<div><main><h1>Limits<a href="#limits">¶</a></h1><p>Few &amp; <code>small</code>.<br>New line</p>
<h2 id="sizes">Sizes</h2><ul><li>one</li><li>two</li></ul><pre><code>size:
  big: 1
</code></pre><table><tr><th>Name</th><th>Size</th></tr><tr><td>a</td><td>1</td></tr></table>
<script>var x = "</p>";</script><h2></h2></main></div><footer>Imprint</footer></body></html>"""


def test_html_by_its_headings_without_what_surrounds_it() -> None:
    found = outline("html", HTML)
    assert [(title, anchor) for title, anchor, _ in found] == [("Limits", ""), ("Limits > Sizes", "sizes")]
    assert found[0][2] == "Few & `small`.\n\nNew line".replace("\n\n", "\n")
    assert found[1][2] == "- one\n- two\n\n```\nsize:\n  big: 1\n```\n\nName | Size\na | 1"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text", ["", "\n\n", "```", "=====", "<", "<h1>", ".. x::", "[[", "\ufeff# x", "a\r\nb\r\n", "\x00"]
)
def test_no_document_is_too_odd(form: str, text: str) -> None:
    assert len(FORMATS[form](text).sections) <= 1


def test_long_sections_are_cut_between_paragraphs_and_keep_their_headings() -> None:
    paragraphs = [f"Paragraph {n}. " + "word " * 60 for n in range(20)]
    found = cut(Document("T", (Section(("Long",), "long", "\n\n".join(paragraphs)),)))
    assert len(found) > 3
    assert all(len(chunk.text) <= MOST_CHARACTERS and chunk.text.startswith("Paragraph") for chunk in found)
    assert {(chunk.headings, chunk.anchor) for chunk in found} == {(("Long",), "long")}
    assert "\n\n".join(chunk.text for chunk in found).split() == "\n\n".join(paragraphs).split()


def test_long_code_stays_code_and_a_long_table_keeps_its_head() -> None:
    code = "```yaml\n" + "\n".join(f"key{n}: value" for n in range(300)) + "\n```"
    parts = cut(Document("T", (Section((), "", code),)))
    assert len(parts) > 1
    assert all(part.text.startswith("```yaml\nkey") and part.text.endswith("value\n```") for part in parts)
    table = "| Name | What |\n|---|---|\n" + "\n".join(f"| name{n} | of some length |" for n in range(200))
    parts = cut(Document("T", (Section((), "", table),)))
    assert len(parts) > 1
    assert all(part.text.startswith("| Name | What |\n|---|---|\n| name") for part in parts)


def test_a_line_without_end_is_cut() -> None:
    parts = cut(Document("T", (Section((), "", "x" * 10_000),)))
    assert max(len(part.text) for part in parts) <= MOST_CHARACTERS
    assert sum(part.text.count("x") for part in parts) == 10_000


def test_a_short_introduction_goes_to_what_follows_it() -> None:
    found = cut(
        Document("T", (Section(("A",), "a", "Short."), Section(("A", "B"), "b", "Text."), Section(("C",), "c", "End.")))
    )
    assert [(chunk.headings, chunk.text) for chunk in found] == [(("A", "B"), "Short.\n\nText."), (("C",), "End.")]
