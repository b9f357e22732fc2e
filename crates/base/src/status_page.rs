//! The frame of the small pages by which servers say how they are, and what browsers may do with them: a style, and no
//! script, form, picture or frame.

/// The policy that such a page is sent with.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";

/// The style sheet. States differ in words, not only in colour.
const STYLE: &str = "\
:root{color-scheme:light dark;background:Canvas;color:CanvasText}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:8vh auto;padding:0 1rem;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:600;padding:1rem 0 .3rem}\
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}\
th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}\
nav a{margin-right:1rem}footer{margin-top:2rem;font-size:.85em}";

/// A whole page: its title, which is a text of ours, and the HTML below it.
pub fn document(title: &'static str, below: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{below}</main></body></html>"
    )
}
