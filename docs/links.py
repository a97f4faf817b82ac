"""Links of notebooks to pages and each other, which the site has elsewhere: a hook of mkdocs."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """See mkdocs: the text of a page, as HTML."""
    if not page.file.src_uri.startswith("tutorials/"):
        return html
    html = re.sub(r'href="(\w+)\.ipynb', r'href="../\1/', html)
    return re.sub(r'href="\.\./docs/([\w/]+?)(?:/README)?\.md', r'href="../../\1/', html)
