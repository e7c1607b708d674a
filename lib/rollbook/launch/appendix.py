"""The executed notebooks as HTML, beside the notebooks: readable without Jupyter and without a network."""

from __future__ import annotations

from rollbook.evidence.folder import RunFolder, write_atomically

WITHOUT_SCRIPTS = """{%- extends 'classic/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
"""


def notebooks_to_html(folder: RunFolder) -> tuple[str, ...]:
    """Convert every executed notebook; names of those that were. One that cannot be read is left out.

    nbconvert's default page loads scripts from elsewhere (MathJax, RequireJS, jQuery, Mermaid): all are
    switched off, so that the page is whole on its own. So are the template's script blocks: with an empty
    address that of Mermaid is an error in the console.
    """
    from nbconvert import HTMLExporter
    from nbformat.reader import NotJSONError

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert is only half typed
        template_name="classic",
        raw_template=WITHOUT_SCRIPTS,
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        mermaid_js_url="",
    )
    done: list[str] = []
    for path in sorted((folder.path / "notebooks").glob("*.ipynb")):
        try:
            page, _resources = exporter.from_filename(str(path))
        except (NotJSONError, OSError):
            continue
        write_atomically(path.with_suffix(".html"), page.encode())
        done.append(path.stem)
    return tuple(done)
