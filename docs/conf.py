"""How Sphinx builds the site: `make docs`. docs/adr/0029-docs-site.md has the reasons."""

from pathlib import Path

project = "Fido"
html_title = "Fido"
extensions = ["myst_parser"]
root_doc = "index"

# Headings have the anchors that GitHub gives them, so that links work in both.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
nitpicky = True

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_favicon = "images/favicon.svg"
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_permalinks_icon = "#"
# Plain, where a block does not say otherwise.
highlight_language = "text"
