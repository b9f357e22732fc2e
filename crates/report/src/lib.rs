//! A drift or training result as one small self-contained HTML page, JSON, Markdown, text; SVG charts.
