//! The table of an experiment's runs.

use maud::{Markup, html};
use trainyard_mlflow::entities::{Experiment, LifecycleStage, Run, Tag};

use crate::best;
use crate::columns::{Available, Column, End, Kind};
use crate::direction::{Direction, Directions};
use crate::format;
use crate::of_histories::Found;
use crate::page;
use crate::query::Query;
use crate::run_list::{self, Listed, PARENT};
use crate::site::Web;

/// Columns before those that can be chosen.
const FIXED: usize = 5;
/// Metrics that are named in a sentence.
const TOLD_MAX: usize = 6;

/// What is in the table, and what was asked for.
pub(crate) struct Table<'a> {
    pub(crate) web: &'a Web,
    pub(crate) experiment: &'a Experiment,
    pub(crate) query: &'a Query,
    pub(crate) listed: &'a Listed,
    pub(crate) columns: &'a [Column],
    pub(crate) available: &'a Available,
    pub(crate) now: i64,
}

impl Table<'_> {
    pub(crate) fn show(&self) -> Markup {
        let best = Best::of(self);
        html! {
            form method="get" action=(self.web.links.compare()) data-compare="" {
                (self.actions())
                (best.told(self))
                @if self.listed.of_histories.is_cut() {
                    p.soft { "Some histories are too long to be read for a list: of these ≤ and ≥ say what is known. A run's page has all of a metric." }
                }
                div.scroll {
                    table.runs {
                        thead { (self.head()) }
                        (self.rows(&best))
                    }
                }
                (self.pages())
            }
        }
    }

    fn directions(&self) -> Directions<'_> {
        Directions::of(self.experiment)
    }

    fn address(&self) -> String {
        self.web.links.experiment(&self.experiment.experiment_id)
    }

    /// What can be done with the runs, and how many there are.
    fn actions(&self) -> Markup {
        let id = &self.experiment.experiment_id;
        let (curves, relations) = (self.web.links.curves(id), self.web.links.relations(id));
        let names = self.columns.iter().map(Column::name);
        let drawn = self.query.only(&["q", "view", "order"]);
        let csv = drawn.with_all("col", names).at(&self.web.links.runs_csv(id));
        let relations = self.query.only(&["q", "view", "order", "col"]).at(&relations);
        // A sweep alone has runs below it to compare.
        let is_several = self.listed.all().nth(1).is_some();
        html! {
            div.actions {
                @if is_several {
                    button { "Compare chosen runs" }
                    button.quiet formaction=(curves) { "Curves of chosen" }
                }
                button.quiet formaction=(self.web.links.chosen_runs(id)) { "Tag or delete chosen" }
                a href=(drawn.at(&curves)) { "Curves" }
                a href=(relations) { "Params × metrics" }
                @if let Some((metric, order)) = self.main() {
                    a href=(best::sorted(&self.address(), metric, order)) rel="nofollow" { "Best by " (format::short(metric, 30)) }
                }
                a href=(csv) download { "CSV" }
                span.soft { (self.counted()) }
            }
        }
    }

    /// The metric by which there is a best run, and the order that begins with it: the one that people or the gate named,
    /// or the first that is shown.
    fn main(&self) -> Option<(&str, &'static str)> {
        let directions = self.directions();
        let shown = self.columns.iter().filter(|column| column.kind == Kind::Metric);
        let mut metrics =
            directions.named().into_iter().chain(shown.map(|column| column.key.as_str()));
        metrics.find_map(|metric| Some((metric, directions.find(metric)?.order())))
    }

    fn counted(&self) -> String {
        let Listed { total, nested_total, .. } = self.listed;
        let is_one = *total == 1;
        let runs = if is_one { "run" } else { "runs" };
        if *nested_total > 0 {
            return format!("{total} {runs}, {nested_total} of them part of another");
        }
        let is_filtered = self.query.has("q") && self.listed.refused.is_none();
        let matching = match (is_filtered, is_one) {
            (false, _) => "",
            (true, true) => " matches",
            (true, false) => " match",
        };
        format!("{total} {runs}{matching}")
    }

    fn pages(&self) -> Markup {
        let first = self.query.without(&["page"]);
        html! {
            div.actions {
                @if let Some(token) = &self.listed.next_page_token {
                    a href=(first.with("page", token).at(&self.address())) rel="next" { "Next page" }
                }
                @if self.query.has("page") { a href=(first.at(&self.address())) { "First page" } }
                @if self.listed.is_nested_cut {
                    span.soft {
                        "Not all nested runs are here: "
                        a href=(first.with("flat", "1").at(&self.address())) { "show them as others" }
                    }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            @if !self.columns.is_empty() {
                tr.groups {
                    td colspan=(FIXED) {}
                    @for kind in Kind::ALL { (self.group_head(kind)) }
                }
            }
            tr {
                td {}
                (self.sortable(&html! { "Run" }, "Run", "attributes.run_name", "ASC", "name"))
                th { "Status" }
                (self.sortable(&html! { "Started (UTC)" }, "Started", "attributes.start_time", "DESC", "wide"))
                th.number.wide { "Took" }
                @for column in self.columns { (self.column_head(column)) }
            }
        }
    }

    fn column_head(&self, column: &Column) -> Markup {
        let title = column.title();
        let heading = format::breakable(&format::short(&title, 80));
        let direction = self.directions().of_column(column);
        let (first, class) = match column.kind {
            // The best first, or the largest where it is not known.
            Kind::Metric => (direction.map_or("DESC", Direction::order), "key number"),
            Kind::Param | Kind::Tag => ("ASC", "key"),
        };
        if let Some(field) = column.field() {
            let title = match direction {
                Some(direction) => format!("{title}: {}", direction.told()),
                None => title,
            };
            return self.sortable(&heading, &title, &field, first, class);
        }
        html! {
            th class=(class) title={ (title) ": read for the runs of this page, so they cannot be sorted by it" } { (heading) }
        }
    }

    /// The heading above columns of a kind; it says when not all are shown.
    fn group_head(&self, kind: Kind) -> Markup {
        let shown = self.columns.iter().filter(|column| column.kind == kind).count();
        let total = self.available.keys(kind).len();
        html! {
            @if shown > 0 {
                th colspan=(shown) { (kind.title()) @if shown < total { " (" (shown) " of " (total) ")" } }
            }
        }
    }

    /// A heading that sorts by its column, the other way round if it does already.
    fn sortable(
        &self,
        heading: &Markup,
        title: &str,
        field: &str,
        first: &str,
        class: &str,
    ) -> Markup {
        let current = self.query.one("order").strip_prefix(field).map(str::trim);
        let other = if first == "ASC" { "DESC" } else { "ASC" };
        let next = if current == Some(first) { other } else { first };
        let sort = current.map(|order| if order == "ASC" { "ascending" } else { "descending" });
        let query = self.query.without(&["page"]).with("order", &format!("{field} {next}"));
        html! {
            th class=(class) aria-sort=[sort] title=(title) {
                a href=(query.at(&self.address())) rel="nofollow" {
                    (heading)
                    @if let Some(sort) = sort { @if sort == "ascending" { " ↑" } @else { " ↓" } }
                }
            }
        }
    }

    fn rows(&self, best: &Best) -> Markup {
        let Some(group) = run_list::group(self.query) else {
            return html! { @for run in &self.listed.runs { (self.family(run, best)) } };
        };
        let same = |left: &Run, right: &Run| group.text(left) == group.text(right);
        html! {
            @for runs in self.listed.runs.chunk_by(same) {
                tbody {
                    tr.section {
                        th scope="rowgroup" colspan=(FIXED + self.columns.len()) {
                            (group.name()) " "
                            @match runs.first().and_then(|run| group.text(run)) {
                                Some(value) => { "= " (format::short(&value, 80)) },
                                None => "is not there",
                            }
                            span.soft { " · " (runs.len()) " here" }
                        }
                    }
                    @for run in runs { (self.row(run, &html! {}, "", best)) }
                }
            }
        }
    }

    /// A run, and below it those that are part of it, which a tick unfolds.
    fn family(&self, run: &Run, best: &Best) -> Markup {
        let nested =
            self.listed.nested.get(&run.info.run_id).map(Vec::as_slice).unwrap_or_default();
        let fold = html! {
            @if !nested.is_empty() {
                " " label.fold { input type="checkbox"; " " (nested.len()) " nested" }
            }
        };
        html! {
            tbody {
                (self.row(run, &fold, "", best))
                @for part in nested { (self.row(part, &html! {}, "nested", best)) }
            }
        }
    }

    fn row(&self, run: &Run, after_name: &Markup, class: &str, best: &Best) -> Markup {
        let info = &run.info;
        let name = page::run_name(&info.run_name, &info.run_id);
        let is_part = Tag::find(&run.data.tags, PARENT).is_some();
        html! {
            tr class=[Some(class).filter(|class| !class.is_empty())] {
                td.choose { label { input type="checkbox" name="run" value=(info.run_id) aria-label={ "choose " (name) }; } }
                td.tight.name {
                    @if is_part { span.soft title="part of another run" { "↳ " } }
                    a href=(self.web.links.run(&info.run_id)) title=(name) { (format::short(name, 48)) }
                    @if info.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
                    (after_name)
                }
                td { (page::status(info.status)) }
                td.tight.wide { @if let Some(start) = info.start_time { (format::time(start)) } }
                td.number.wide {
                    @if let Some(took) = format::took(info) { (took) }
                    @else if let Some(so_far) = format::so_far(info, self.now) { span.soft { (so_far) } }
                }
                @for (position, column) in self.columns.iter().enumerate() { (self.cell(column, run, best.at(position))) }
            }
        }
    }

    fn cell(&self, column: &Column, run: &Run, best: Option<f64>) -> Markup {
        if column.of_history.is_some() {
            return of_history(self.listed.of_histories.of(column, run), best);
        }
        if column.kind == Kind::Metric {
            let value = run.data.metric(&column.key);
            return html! { td.number { @if let Some(value) = value { (number(value, best)) } } };
        }
        html! { td.tight { (format::param(&column.text(run).unwrap_or_default())) } }
    }

    /// The values of a column that are compared; none where one that is not known may be better.
    fn values(&self, column: &Column) -> Vec<f64> {
        let mut values = Vec::new();
        for run in self.listed.all() {
            if column.of_history.is_none() {
                values.extend(column.metric(run));
                continue;
            }
            match self.listed.of_histories.of(column, run) {
                Some(Found::Exact(found)) => values.push(found.value),
                Some(Found::Bound(..) | Found::TooLong) => return Vec::new(),
                None => {}
            }
        }
        values
    }
}

/// The best values of the page, by the place of their column.
struct Best(Vec<Option<f64>>);

impl Best {
    fn of(table: &Table<'_>) -> Self {
        let directions = table.directions();
        let best = |column: &Column| {
            let direction = directions.of_column(column)?;
            direction.best(table.values(column).into_iter())
        };
        Self(table.columns.iter().map(best).collect())
    }

    fn at(&self, position: usize) -> Option<f64> {
        self.0.get(position).copied().flatten()
    }

    /// What is told of those that are marked, and where to have it another way.
    fn told(&self, table: &Table<'_>) -> Markup {
        let directions = table.directions();
        let marked = table.columns.iter().enumerate().filter(|(at, _)| self.at(*at).is_some());
        let mut by_word: Vec<(String, Vec<&str>)> = Vec::new();
        for (_, column) in marked {
            let Some(direction) = directions.of_column(column) else { continue };
            let word = direction.told();
            match by_word.iter_mut().find(|(known, _)| *known == word) {
                Some((_, keys)) if keys.contains(&column.key.as_str()) => {}
                Some((_, keys)) => keys.push(&column.key),
                None => by_word.push((word, vec![&column.key])),
            }
        }
        let is_any = table.columns.iter().any(|column| column.kind == Kind::Metric);
        html! {
            @if is_any {
                p.soft {
                    @if !by_word.is_empty() {
                        "In bold the best of this page: "
                        @for (position, (word, keys)) in by_word.iter().enumerate() {
                            @if position > 0 { "; " }
                            @for (at, key) in keys.iter().take(TOLD_MAX).enumerate() {
                                @if at > 0 { ", " }
                                (format::short(key, 40))
                            }
                            @if keys.len() > TOLD_MAX { " and " (keys.len() - TOLD_MAX) " more" }
                            ": " (word)
                        }
                        ". "
                    }
                    a href=(table.web.links.best(&table.experiment.experiment_id)) { "Which runs are best" }
                }
            }
        }
    }
}

/// A number, marked where it is the best.
fn number(value: f64, best: Option<f64>) -> Markup {
    let text = format::number(value);
    html! { @if best == Some(value) { strong.best { (text) } } @else { (text) } }
}

/// A value of a history, with its step; of one that is too long what is known of it.
fn of_history(found: Option<Found>, best: Option<f64>) -> Markup {
    const CUT: &str = "the history is longer than what is read for a list";
    match found {
        None => html! { td.number {} },
        Some(Found::Exact(found)) => {
            html! { td.number title={ "at step " (found.step) } { (number(found.value, best)) } }
        }
        Some(Found::Bound(end, value)) => {
            let sign = if end == End::Min { "≤" } else { "≥" };
            html! { td.number title=(CUT) { (sign) " " (format::number(value)) } }
        }
        Some(Found::TooLong) => html! { td.number title=(CUT) { span.soft { "too long" } } },
    }
}
