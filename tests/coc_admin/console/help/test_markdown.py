"""The renderer of the guide: the supported syntax; everything else is text."""

from __future__ import annotations

import pytest

from coc_admin.console.help.markdown import Document, Picture, Renderer


def rendered(source: str) -> Document:
    return Renderer(
        link=lambda href: href if href.startswith("/") else None,
        picture=lambda name: Picture(f"/s/{name}", 20, 10) if name == "a.png" else None,
    ).render(source)


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("one\ntwo", "<p>one two</p>"),
        ("**a *b* c**", "<p>**a <em>b</em> c**</p>"),
        ("**a** *b* `<c>`", "<p><strong>a</strong> <em>b</em> <code>&lt;c&gt;</code></p>"),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
        ("<kbd>g</kbd>", "<p><kbd>g</kbd></p>"),
        ("- a\n  b\n- c", "<ul><li>a b</li><li>c</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("[a](/b)", '<p><a href="/b">a</a></p>'),
        ("[a](javascript:alert(1))", "<p>a)</p>"),
        ('[a](/"onclick=")', '<p><a href="/&quot;onclick=&quot;">a</a></p>'),
        ("![a](none.png)", "<p><em>a</em></p>"),
        ("<script>a</script>", "<p>&lt;script&gt;a&lt;/script&gt;</p>"),
        ("<kbd><b></kbd>", "<p>&lt;kbd&gt;&lt;b&gt;&lt;/kbd&gt;</p>"),
        ("## A & B", '<h2 id="a-b">A &amp; B</h2>'),
        ('<a id="x"></a>\n\n## A', '<h2 id="x">A</h2>'),
        ('<a id="x"></a>\n\na', '<p id="x">a</p>'),
        (
            '<a id="x" onclick="y"></a>',
            "<p>&lt;a id=&quot;x&quot; onclick=&quot;y&quot;&gt;&lt;/a&gt;</p>",
        ),
    ],
)
def test_a_block_becomes(source: str, html: str) -> None:
    assert rendered(source).html == html


def test_a_picture_has_its_size_and_leads_to_itself() -> None:
    assert rendered("![A <b>](a.png)").html == (
        '<p><a href="/s/a.png"><img src="/s/a.png" width="20" height="10" alt="A &lt;b&gt;"'
        ' loading="lazy"></a></p>'
    )


def test_a_table_scrolls_by_itself() -> None:
    html = rendered("| a | <b> |\n|---|---|\n| *1* | 2 |").html
    assert html == (
        "<div class='scroll' tabindex='0' role='group' aria-label='a, &lt;b&gt;'>"
        '<table class=\'table\'><thead><tr><th scope="col">a</th><th scope="col">&lt;b&gt;</th>'
        "</tr></thead><tbody><tr><td><em>1</em></td><td>2</td></tr></tbody></table></div>"
    )


def test_headings_become_title_and_sections() -> None:
    document = rendered('# T\n\n<a id="x"></a>\n\n## A\n\n### B')
    assert document.title == "T"
    assert [(one.key, one.level, one.name) for one in document.sections] == [
        ("x", 2, "A"),
        ("b", 3, "B"),
    ]
    assert document.anchors == {"x", "b"}
