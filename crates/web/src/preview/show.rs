//! One file, as a part of a page.

use bytes::Bytes;
use maud::{Markup, html};
use serde_json::Value;
use trainyard_mlflow::artifacts::ByteStream;
use trainyard_mlflow::{Error, Result};

use super::beginning::Beginning;
use super::measure::Measure;
use super::{columnar, delimited, json, notebook};
use crate::artifact_kind::Kind;
use crate::links::Links;
use crate::markdown::{self, Beside};
use crate::passive_pdf;
use crate::sandbox::frame;
use crate::site::Web;

/// What the address of a file asks for that is to be shown within a page.
pub(crate) const SHOWN: &str = "shown=1";

/// A file, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    /// The address of the run or logged model.
    pub(crate) owner: &'a str,
    pub(crate) path: &'a str,
}

/// What is shown of a file whose bytes are `body`; no more of them is read than `measure` says.
pub(crate) async fn show(
    web: &Web,
    file: File<'_>,
    body: ByteStream,
    measure: &Measure,
) -> Result<Markup> {
    let kind = Kind::of(file.path);
    let raw = Links::raw(file.owner, file.path);
    match kind {
        Kind::Image(_) => Ok(html! { a href=(raw) { img.file src=(raw) alt=(file.path); } }),
        Kind::Page => Ok(frame(file.owner, file.path)),
        Kind::Pdf => pdf(web, file, body).await,
        Kind::Other => Ok(html! { p { "This kind of file is not shown here." } }),
        Kind::Parquet => parquet(web, body, measure).await,
        Kind::Json | Kind::Notebook => structured(web, kind, body, measure).await,
        Kind::Markdown | Kind::Delimited | Kind::Text => {
            let beginning = Beginning::read(body, measure.text_bytes).await?;
            Ok(text(kind, file, &beginning, measure))
        }
    }
}

/// Within the page where nothing in it can act; else to be had as a file.
async fn pdf(web: &Web, file: File<'_>, body: ByteStream) -> Result<Markup> {
    let raw = Links::raw(file.owner, file.path);
    let is_shown = read_passive(web, body).await?.is_some();
    Ok(html! {
        @if is_shown { iframe.report src={ (raw) "?" (SHOWN) } title=(file.path) referrerpolicy="no-referrer" {} }
        @else { p.soft { "It is not shown here: it has scripts or other parts that act, is packed so that this cannot be known, or is too large." } }
        p { a href=(raw) { "Download the PDF" } }
    })
}

/// All of a PDF file that can be shown; none of another.
pub(crate) async fn read_passive(web: &Web, body: ByteStream) -> Result<Option<Bytes>> {
    let turn = web.turns.take().await;
    let whole = Beginning::read(body, passive_pdf::BYTES_MAX).await?;
    let looking = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let is_shown = !whole.is_cut && passive_pdf::is_passive(&whole.bytes);
        is_shown.then(|| Bytes::from(whole.bytes))
    });
    looking.await.map_err(|error| Error::internal(format!("the PDF is not looked at: {error}")))
}

async fn parquet(web: &Web, body: ByteStream, measure: &Measure) -> Result<Markup> {
    let turn = web.turns.take().await;
    let whole = Beginning::read(body, measure.parquet_bytes).await?;
    if whole.is_cut {
        let told = "The file is too large to be shown here.";
        return Ok(html! { p.soft { (told) } });
    }
    Ok(match columnar::read(Bytes::from(whole.bytes), measure, turn).await {
        Ok(grid) => grid.show(measure),
        Err(told) => html! { p.soft { (told) } },
    })
}

async fn structured(web: &Web, kind: Kind, body: ByteStream, measure: &Measure) -> Result<Markup> {
    let mut beginning = Beginning::read(body, measure.json_bytes).await?;
    // Until it is drawn: a value takes many times the memory of its text.
    let _turn = web.turns.take().await;
    let text = beginning.text();
    // A part of one is none.
    let value: Option<Value> =
        (!beginning.is_cut).then(|| serde_json::from_str(&text).ok()).flatten();
    let Some(value) = value else {
        beginning.is_cut |= beginning.bytes.len() > measure.text_bytes;
        beginning.bytes.truncate(measure.text_bytes);
        return Ok(plain(&beginning));
    };
    if let Some(cells) = (kind == Kind::Notebook).then(|| notebook::show(&value, measure)).flatten()
    {
        return Ok(cells);
    }
    // One long line is nobody's choice. Of many small values in deep brackets most lines are indentation, so a text that
    // is not shown is not laid out.
    let lines = if text.contains('\n') || text.len() > measure.text_bytes {
        text
    } else {
        serde_json::to_string_pretty(&value).unwrap_or(text)
    };
    let is_shown = lines.len() <= measure.text_bytes;
    Ok(html! {
        (json::show(&value, measure))
        @if is_shown { details.more { summary { "As text" } pre.file { (lines) } } }
    })
}

fn text(kind: Kind, file: File<'_>, beginning: &Beginning, measure: &Measure) -> Markup {
    let cut = html! { @if beginning.is_cut { p.soft { "Only the beginning is shown." } } };
    match kind {
        Kind::Markdown if !beginning.bytes.is_empty() => {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _name)| folder);
            let beside = Beside { owner: file.owner, folder };
            html! { (markdown::show(&beginning.text(), measure.heading, Some(beside))) (cut) }
        }
        Kind::Delimited => match delimited::read(beginning, measure) {
            Some(grid) => grid.show(measure),
            None => plain(beginning),
        },
        _ => plain(beginning),
    }
}

fn plain(beginning: &Beginning) -> Markup {
    html! {
        @if beginning.bytes.is_empty() { p.soft { "The file is empty." } } @else { pre.file { (beginning.text()) } }
        @if beginning.is_cut { p.soft { "Only the beginning is shown." } }
    }
}
