//! Names of the columns of a design, as patsy and formulaic write them: products of factors, each of which is a
//! number or says a level in brackets.
//!
//! `Intercept`, `np.log(z)`, `C(town)[T.York]`, `x:town[T.York]`.

/// Factors of one product.
const FACTORS_MAX: usize = 50;

/// A factor of a column of a design.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedFactor<'n> {
    /// What it is made of: an expression.
    pub(super) code: &'n str,
    pub(super) level: Option<NamedLevel>,
}

/// Which level of a categorical factor a column is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedLevel {
    pub(super) level: String,
    /// Whether the level without a column has -1 in each (a contrast of sums).
    pub(super) is_sum: bool,
}

/// The factors of a column; none of the intercept. `is_level` says whether a factor has a level that is written so.
///
/// # Errors
///
/// The part of the name that is not known.
pub(super) fn factors(
    name: &str,
    mut is_level: impl FnMut(&str, &str) -> Result<bool, String>,
) -> Result<Vec<NamedFactor<'_>>, String> {
    if name == "Intercept" {
        return Ok(Vec::new());
    }
    let mut factors = Vec::new();
    let mut rest = name;
    loop {
        if factors.len() == FACTORS_MAX {
            return Err(format!("a product of more than {FACTORS_MAX} factors"));
        }
        let (code, after) = rest.split_at(code_end(rest));
        let level = match after.strip_prefix('[') {
            None => None,
            Some(inside) => Some(level(code, inside, &mut is_level)?),
        };
        let after = level.as_ref().map_or(after, |(_, after)| *after);
        factors.push(NamedFactor { code, level: level.map(|(level, _)| level) });
        match after.strip_prefix(':') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(factors),
            None => return Err(format!("{after:?}")),
        }
    }
}

/// Where a factor's expression ends: at a bracket or colon outside of parentheses and quotes.
fn code_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, '[' | ':') if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// The level that the rest behind a bracket begins with, and what follows the bracket that closes it. Levels may hold
/// brackets themselves.
fn level<'n>(
    code: &str,
    inside: &'n str,
    is_level: &mut impl FnMut(&str, &str) -> Result<bool, String>,
) -> Result<(NamedLevel, &'n str), String> {
    for (at, _) in inside.match_indices(']') {
        let (written, after) = inside.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        if !after.is_empty() && !after.starts_with(':') {
            continue;
        }
        for (prefix, is_sum) in [("T.", false), ("S.", true), ("", false)] {
            let Some(level) = written.strip_prefix(prefix) else { continue };
            if is_level(code, level)? {
                return Ok((NamedLevel { level: level.to_owned(), is_sum }, after));
            }
        }
    }
    Err(format!("the coding {:?} of {code}", format!("[{inside}")))
}

#[cfg(test)]
mod tests {
    use super::factors;

    fn shown(name: &str) -> Result<Vec<String>, String> {
        let levels = ["York", "New [York]:x", "1.0", "T.x"];
        let factors = factors(name, |_, level| Ok(levels.contains(&level)))?;
        let shown = factors.into_iter().map(|factor| {
            let level = factor
                .level
                .map(|level| if level.is_sum { format!("-{}", level.level) } else { level.level });
            format!("{}|{}", factor.code, level.unwrap_or_default())
        });
        Ok(shown.collect())
    }

    #[test]
    fn a_name_is_a_product_of_factors() {
        let ok =
            |name: &str, expected: &[&str]| assert_eq!(shown(name).unwrap(), expected, "{name}");
        ok("Intercept", &[]);
        ok("x", &["x|"]);
        ok("town[T.York]", &["town|York"]);
        ok("town[York]", &["town|York"]);
        ok("town[T.x]", &["town|T.x"]);
        ok("C(f, Sum)[S.1.0]", &["C(f, Sum)|-1.0"]);
        ok("x:town[T.New [York]:x]:np.log(z)", &["x|", "town|New [York]:x", "np.log(z)|"]);
        ok(
            r#"Q("a[0]:b"):C(x, levels=["York"])[York]"#,
            &[r#"Q("a[0]:b")|"#, r#"C(x, levels=["York"])|York"#],
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert!(shown("town[T.Oslo]").unwrap_err().contains("[T.Oslo]"));
        assert!(shown("town[H.York]").unwrap_err().contains("[H.York]"));
        assert!(shown("bs(x, df=4)[0]").unwrap_err().contains("bs(x, df=4)"));
        assert!(shown("town[York").is_err());
        let product = |factors: usize| vec!["x"; factors].join(":");
        assert_eq!(shown(&product(50)).unwrap().len(), 50);
        assert!(shown(&product(51)).unwrap_err().contains("50 factors"));
    }
}
