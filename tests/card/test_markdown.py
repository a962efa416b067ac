"""Texts of others in Markdown: read by a parser of it, they are the texts and nothing else."""

import pytest
from markdown_it import MarkdownIt

from flawspot.card.markdown import LONGEST, bullets, code, codes, table
from flawspot.texts import visible

HOSTILE = [
    "plain",
    "`",
    "``` `` `",
    "`code` and **bold** and [a link](http://x.example) ![picture](y.png)",
    "<script>alert(1)</script>",
    "<!-- hidden",
    "a | b | c",
    "| --- |",
    "# heading",
    "- item\n\n# another\r\n***\n",
    "http://x.example www.x.example a@x.example @somebody #1",
    "&lt;b&gt; &amp; &#64;",
    "\\`\\`",
    "$x^2$ $$y$$",
    "tail \\",
    " spaces ",
    "\u202eevil\x1b[2J",
    "~~~\n:::",
]


def parsed(text):
    """All that is inline in a document, by type, and the types of its blocks."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks = [token.type for token in tokens]
    return blocks, [child for token in tokens for child in token.children or []]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["- Name: {}, and on", "# Card of {}", "| head |\n| :-- |\n| {} |"])
def test_inline_code_is_the_text(text, form):
    shown = code(text).replace("|", "\\|") if form.startswith("|") else code(text)
    blocks, inline = parsed(form.format(shown))
    (found,) = [token for token in inline if token.type == "code_inline"]
    assert found.content == visible(text)
    assert {token.type for token in inline} <= {"code_inline", "text"}
    assert not {"html_block", "fence", "code_block", "hr"} & set(blocks)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_s_cells_stay_its_cells(text):
    blocks, inline = parsed(table(["a", "b"], [[code(text), "1"], ["x", "2"]]))
    assert (blocks.count("th_open"), blocks.count("td_open")) == (2, 4)
    assert visible(text) in [token.content for token in inline]


def test_what_is_nothing_or_long():
    assert code("") == code("  ") == "(no name)"
    assert code("x" * 1000) == f"`{'x' * LONGEST}…`"
    assert code("x" * 1000 + "`" * 1000) == f"`{'x' * LONGEST}…`"


def test_lists():
    assert codes(["a", 2]) == "`a`, `2`"
    assert codes(range(13)).endswith("`9` and 3 more")
    assert bullets(["a", "b"]) == "- a\n- b"
