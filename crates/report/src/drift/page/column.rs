//! All there is to know about one column.

use maud::{Markup, PreEscaped, html};
use trainyard_chart::pairs::Pair;
use trainyard_chart::{Svg, cumulative, histogram, pairs, quantiles};
use trainyard_drift::{
    ColumnDrift, CumulativePoint, Distribution, FindingKind, Kind, Method, NumberSummary,
    QUANTILES, Role, Scale, ScoreKind, Side, Status, Verdict,
};

use super::bins::{bulk, shares, ticks};
use crate::drift::sentences::decision;
use crate::drift::state::State;
use crate::number::{count, percent, short, value};

pub(super) fn detail(index: usize, column: &ColumnDrift) -> Markup {
    let state = State::of(column);
    html! {
        details id={ "c" (index) } {
            summary {
                b { (column.name) }
                span class={ "s " (state.word()) } { (state.sign()) " " (state.word()) }
            }
            .in {
                @match &column.status {
                    Status::Tested(verdict) => (tested(verdict, column)),
                    Status::Skipped(reason) => p { "Skipped: " (reason) "." },
                    Status::Failed(reason) => p { "Failed: " (reason) "." },
                }
                p.why {
                    (column.kind.name()) ", because: " (column.kind_reason) "."
                    @if column.role != Role::Feature { " It is the " (column.role.name()) "." }
                    @if column.kind == Kind::Datetime { " It does not count in the share of drifted columns: later data have later times." }
                }
                @if !column.findings.is_empty() {
                    ul.findings {
                        @for finding in &column.findings {
                            li class=(finding.severity.name()) { span.tag { (finding.severity.name()) } " " (finding.message) }
                        }
                    }
                }
                @if let Some(distribution) = &column.distribution { (charts(column, distribution)) }
                (numbers(column))
            }
        }
    }
}

fn tested(verdict: &Verdict, column: &ColumnDrift) -> Markup {
    let counts = matches!(verdict.method, Method::ChiSquare | Method::GTest);
    let unseen = column.findings.iter().any(|finding| finding.kind == FindingKind::NewCategories);
    html! {
        p {
            b { (verdict.method.display_name()) } " " span.tag { (verdict.method.id()) } " " (decision(verdict))
            @if let Some(effect) = &verdict.effect { " · " (effect.name) " " (short(effect.value)) " (" (effect.size.name()) ")" }
        }
        p { (verdict.method.meaning()) }
        @if let Some(why) = verdict.adjusted_score.and_then(|_| adjusted(verdict.method)) { p { (why) } }
        @if counts && unseen { p { "A value that the reference does not have is impossible under it, so a single one makes p as small as can be." } }
        @if verdict.score_kind == ScoreKind::PValue && verdict.drifted
            && verdict.effect.as_ref().is_some_and(|effect| effect.size == trainyard_drift::EffectSize::Negligible) {
            p { "The difference is certain but tiny: with this many rows even differences without consequence are found." }
        }
        p.why { "Method: " (verdict.method_reason) "." }
    }
}

/// What an adjusted score is beside Evidently's, whose number is the first.
fn adjusted(method: Method) -> Option<&'static str> {
    match method {
        Method::ChiSquare => Some(
            "The score takes the reference's shares for the truth, as Evidently's does; the adjusted p takes both sides as samples, and decides.",
        ),
        Method::JensenShannon => Some(
            "With so many labels two samples of the same data are this far apart by chance, which the score, Evidently's, does not know; the adjusted distance is what is left beyond chance, and decides.",
        ),
        Method::Wasserstein => Some(
            "The adjusted distance decides: what is left beyond what chance brings between so few values, in standard deviations of the reference, also where these are below 0.001, which is the least that the score, Evidently's, divides by.",
        ),
        _ => None,
    }
}

fn charts(column: &ColumnDrift, distribution: &Distribution) -> Markup {
    match distribution {
        Distribution::Numbers { bins, cumulative } => {
            // The values of a text column are the lengths of its texts.
            let scale = if column.kind == Kind::Text { Scale::Integer } else { column.scale };
            let what =
                if column.kind == Kind::Text { "Length in characters" } else { "Distribution" };
            let bulk = bulk(bins);
            let beyond = if bulk.is_some() { "; beyond ⋯ outliers" } else { "" };
            let what = format!("{what}{beyond}");
            let (reference, current) = shares(bins);
            let labels = ticks(bins, scale);
            let histogram = histogram::large(
                &reference,
                &current,
                &labels,
                &format!("histogram of {}", column.name),
            );
            // Outliers lie at the ends of the bulk.
            let inner = |x: f64| bulk.map_or(x, |[low, high]| x.max(low).min(high));
            let points = |side: fn(&CumulativePoint) -> f64| {
                cumulative.iter().map(|point| (inner(point.value), side(point))).collect::<Vec<_>>()
            };
            let end = |point: Option<&CumulativePoint>, label: Option<&(f64, String)>| match bulk {
                Some(_) => label.map(|(_, text)| text.clone()).unwrap_or_default(),
                None => point.map(|point| value(point.value, scale)).unwrap_or_default(),
            };
            let curves = cumulative::curves(
                &points(|point| point.reference),
                &points(|point| point.current),
                [&end(cumulative.first(), labels.first()), &end(cumulative.last(), labels.last())],
                &format!("cumulative distribution of {}", column.name),
            );
            html! {
                .charts {
                    (figure(&what, "", &histogram))
                    (figure("Cumulative: share of values up to …", "", &curves))
                    @if let Some(quantiles) = quantile_plot(column, bulk, scale) { (figure("Quantiles: reference across, current up", "qq", &quantiles)) }
                }
            }
        }
        Distribution::Categories { top, others, others_reference, others_current } => {
            let rest = format!("{others} others");
            let mut shares: Vec<Pair<'_>> = top
                .iter()
                .map(|label| Pair {
                    label: &label.label,
                    reference: label.reference,
                    current: label.current,
                })
                .collect();
            if *others > 0 {
                shares.push(Pair {
                    label: &rest,
                    reference: *others_reference,
                    current: *others_current,
                });
            }
            let drawing = pairs::bars(&shares, &format!("shares of the values of {}", column.name));
            html! { .charts { (figure("Shares; the number is the change in percentage points", "", &drawing)) } }
        }
    }
}

fn figure(title: &str, class: &str, drawing: &Svg) -> Markup {
    html! { figure { h3 { (title) } div class=[(!class.is_empty()).then_some(class)] { (PreEscaped(&drawing.0)) } } }
}

fn quantile_plot(column: &ColumnDrift, bulk: Option<[f64; 2]>, scale: Scale) -> Option<Svg> {
    let before = column.reference.as_ref()?.numbers.as_ref()?;
    let after = column.current.as_ref()?.numbers.as_ref()?;
    // The extremes would squeeze everything else into a corner.
    let inner = |numbers: &NumberSummary| {
        numbers.quantiles.get(1..QUANTILES.len() - 1).map(<[f64]>::to_vec)
    };
    let is_inner = |x: f64| bulk.is_none_or(|[low, high]| (low..=high).contains(&x));
    let pairs: Vec<(f64, f64)> = inner(before)?
        .into_iter()
        .zip(inner(after)?)
        .filter(|(before, after)| is_inner(*before) && is_inner(*after))
        .collect();
    let all = || pairs.iter().flat_map(|pair| [pair.0, pair.1]);
    let (low, high) =
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if high <= low {
        return None;
    }
    let label = format!("quantile-quantile plot of {}", column.name);
    Some(quantiles::points(&pairs, [&value(low, scale), &value(high, scale)], &label))
}

fn numbers(column: &ColumnDrift) -> Markup {
    let sides = [column.reference.as_ref(), column.current.as_ref()];
    let cells = |show: &dyn Fn(&Side) -> String| {
        sides.map(|side| side.map_or_else(|| "–".to_owned(), show))
    };
    let scale = if column.kind == Kind::Text { Scale::Continuous } else { column.scale };
    let of_numbers = |scale: Scale, pick: &dyn Fn(&NumberSummary) -> Option<f64>| {
        cells(&|side| {
            let number = side.numbers.as_ref().and_then(pick);
            number.map_or_else(|| "–".to_owned(), |number| value(number, scale))
        })
    };
    let mut rows = vec![
        ("type".to_owned(), cells(&|side| side.data_type.clone())),
        ("values".to_owned(), cells(&|side| count(side.values))),
        (
            "missing".to_owned(),
            cells(&|side| format!("{} ({})", count(side.missing), percent(side.missing_share()))),
        ),
        ("distinct".to_owned(), cells(&|side| count(side.distinct))),
    ];
    if sides.iter().flatten().any(|side| side.infinite > 0) {
        rows.push(("infinite".to_owned(), cells(&|side| count(side.infinite))));
    }
    if sides.iter().flatten().any(|side| side.numbers.is_some()) {
        let of = if column.kind == Kind::Text { " length" } else { "" };
        // A mean of dates is a date; a deviation of dates is a time.
        let deviation_scale =
            if scale == Scale::Instant { Scale::Interval } else { Scale::Continuous };
        let mean_scale = if scale == Scale::Integer { Scale::Continuous } else { scale };
        rows.push((format!("mean{of}"), of_numbers(mean_scale, &|numbers| Some(numbers.mean))));
        let deviation = of_numbers(deviation_scale, &|numbers| Some(numbers.deviation));
        rows.push((format!("standard deviation{of}"), deviation));
        for (index, probability) in QUANTILES.iter().enumerate() {
            let name = match *probability {
                0.0 => "minimum".to_owned(),
                0.5 => "median".to_owned(),
                1.0 => "maximum".to_owned(),
                other => format!("{} quantile", percent(other)),
            };
            let quantile = of_numbers(scale, &|numbers| numbers.quantiles.get(index).copied());
            rows.push((format!("{name}{of}"), quantile));
        }
    }
    html! {
        .wide tabindex="0" {
            table.numbers {
                thead { tr { th scope="col" { "" } th scope="col" { "reference" } th scope="col" { "current" } } }
                tbody { @for (name, [before, after]) in &rows { tr { td { (name) } td { (before) } td { (after) } } } }
            }
        }
    }
}
