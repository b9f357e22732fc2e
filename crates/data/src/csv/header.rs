//! Column names: pandas' rules for empty and repeated ones.

use std::collections::{HashMap, HashSet};

/// Names the columns as pandas does: an empty name becomes `Unnamed: 3`, a repeated one `x.1`.
pub(super) fn column_names(raw: Vec<String>) -> Vec<String> {
    let named: Vec<String> = raw
        .into_iter()
        .enumerate()
        .map(|(index, name)| if name.is_empty() { format!("Unnamed: {index}") } else { name })
        .collect();
    // A number that another column already bears is skipped: `x,x,x.1` is `x,x.2,x.1`.
    let written: HashSet<String> = named.iter().cloned().collect();
    let mut used: HashSet<String> = HashSet::with_capacity(named.len());
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::with_capacity(named.len());
    for name in named {
        if used.insert(name.clone()) {
            names.push(name);
            continue;
        }
        let count = counts.entry(name.clone()).or_insert(0);
        let unique = loop {
            *count += 1;
            let candidate = format!("{name}.{count}");
            if !written.contains(&candidate) && !used.contains(&candidate) {
                break candidate;
            }
        };
        used.insert(unique.clone());
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        let names = column_names(raw.split(',').map(str::to_owned).collect());
        assert_eq!(names.join(","), expected, "{raw:?}");
    }

    #[test]
    fn names_are_made_unique_as_pandas_does() {
        check("a,b", "a,b");
        check("x,x,x", "x,x.1,x.2");
        check("x,x,x.1,x", "x,x.2,x.1,x.3");
        check("a,a.1,a", "a,a.1,a.2");
        check(",a,", "Unnamed: 0,a,Unnamed: 2");
        check(" a ,a", " a ,a");
    }
}
