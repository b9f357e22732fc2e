//! Pictures of a run: plots beside each other, and those that were logged step by step with a way through the steps.

use std::collections::BTreeSet;

use maud::{Markup, html};
use trainyard_mlflow::entities::FileInfo;

use crate::artifact_kind::Kind;
use crate::format;
use crate::image_steps::{Picture, Steps};
use crate::links::Links;
use crate::query::Query;

/// Pictures that stand beside each other; the others are a click away. A browser loads those that are seen.
const PICTURES_MAX: usize = 24;

/// Pictures among these files, beside each other; nothing if there are none.
pub(crate) fn gallery<'a>(owner: &str, files: impl Iterator<Item = &'a FileInfo>) -> Markup {
    let is_picture =
        |file: &&FileInfo| !file.is_dir && matches!(Kind::of(&file.path), Kind::Image(_));
    let pictures: Vec<&FileInfo> = files.filter(is_picture).take(PICTURES_MAX + 1).collect();
    html! {
        @if !pictures.is_empty() {
            div.gallery {
                @for file in pictures.iter().take(PICTURES_MAX) { (picture(owner, &file.path, &file.path, &file.path)) }
            }
            @if pictures.len() > PICTURES_MAX { p.soft { "The first " (PICTURES_MAX) " pictures; the others are among the files." } }
        }
    }
}

/// A picture that leads to its page.
fn picture(owner: &str, path: &str, shown: &str, caption: &str) -> Markup {
    html! {
        figure {
            a href=(Links::file(owner, path)) { img src=(Links::raw(owner, shown)) alt=(caption) loading="lazy"; }
            figcaption { (format::breakable(caption)) }
        }
    }
}

/// The pictures at a step, and the way to other steps: `?step=20` is the last of each until then.
pub(crate) fn stepped(owner: &str, steps: &Steps, query: &Query) -> Markup {
    let all = steps.steps();
    let (Some(first), Some(last)) = (all.first().copied(), all.last().copied()) else {
        return html! {};
    };
    let asked = query.one("step").parse().unwrap_or(last);
    let now = all.range(..=asked).next_back().copied().unwrap_or(first);
    html! {
        h2 #steps { "Pictures by step " small { "step " (now) } }
        @if first < last { (slider(owner, query, &all, now)) }
        div.gallery {
            @for (key, step, shown) in steps.at(now).take(PICTURES_MAX) { (at_step(owner, key, step, shown)) }
        }
        @if steps.keys() > PICTURES_MAX { p.soft { "The first " (PICTURES_MAX) " of " (steps.keys()) "; the others are among the files." } }
    }
}

fn at_step(owner: &str, key: &str, step: i64, shown: &Picture) -> Markup {
    let small = shown.small.as_deref().unwrap_or(&shown.path);
    picture(owner, &shown.path, small, &format!("{key}, step {step}"))
}

/// Links to the steps beside this one, and a form for any other.
fn slider(owner: &str, query: &Query, all: &BTreeSet<i64>, now: i64) -> Markup {
    let link = |step: i64| format!("{}#steps", query.with("step", &step.to_string()).at(owner));
    let before = all.range(..now).next_back().copied();
    let after = all.range(now.saturating_add(1)..).next().copied();
    let (first, last) = (all.first().copied(), all.last().copied());
    html! {
        div.actions {
            @if let Some((first, before)) = first.zip(before) {
                a href=(link(first)) { "First" }
                a href=(link(before)) rel="prev" { "Step " (before) }
            }
            @if let Some((last, after)) = last.zip(after) {
                a href=(link(after)) rel="next" { "Step " (after) }
                a href=(link(last)) { "Last" }
            }
            form.filter method="get" action={ (owner) "#steps" } {
                (query.without(&["step"]).hidden())
                label { "Step " input type="range" name="step" min=(first.unwrap_or(now)) max=(last.unwrap_or(now)) value=(now); }
                button.quiet { "Show" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileInfo {
        FileInfo { path: path.to_owned(), ..FileInfo::default() }
    }

    #[test]
    fn pictures_stand_beside_each_other() {
        let files = [file("a/<b>.svg"), file("x.csv"), file("r.png")];
        let html = gallery("/runs/r", files.iter()).into_string();
        assert_eq!(html.matches("<img src=\"/runs/r/raw/").count(), 2, "{html}");
        assert!(html.contains("/runs/r/raw/a/%3Cb%3E.svg") && !html.contains("<b>"), "{html}");
        assert_eq!(gallery("/runs/r", files.iter().skip(3)).into_string(), "");
    }

    #[test]
    fn steps_lead_to_those_beside_them() {
        let files = [1, 5, 9].map(|step| file(&format!("images/k+step+{step}+timestamp+1+u.png")));
        let steps = Steps::of(&files);
        let html = |query: &str| stepped("/runs/r", &steps, &Query::read(query)).into_string();
        let middle = html("step=6&find=x");
        for link in ["?find=x&amp;step=1#steps", "?find=x&amp;step=9#steps"] {
            assert!(middle.contains(link), "{link}: {middle}");
        }
        assert!(middle.contains("k, step 5") && middle.contains("type=\"range\""), "{middle}");
        assert!(html("").contains("k, step 9") && html("step=x").contains("k, step 9"));
        assert!(html("step=-7").contains("k, step 1"));
        assert!(!html(&format!("step={}", i64::MAX)).contains("rel=\"next\""));
    }
}
