//! The name that somebody meant: what "did you mean" asks.

/// The name that is most like `given`, if one is close enough to be a slip.
pub fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let given_lower = given.to_lowercase();
    names
        .map(|name| (strsim::levenshtein(&given_lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| {
            let longer = given.chars().count().max(name.chars().count());
            // Of one letter in the place of another nobody knows what was meant.
            *distance < longer && *distance * 3 <= longer + 2
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

/// ` (did you mean "accuracy"?)`, to be put behind a name that is not known; nothing where none is close.
pub fn did_you_mean<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(given, names).map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_only() {
        let names = ["species", "petal width (cm)", "sepal width (cm)"];
        let find = |given| nearest(given, names.into_iter());
        assert_eq!(find("spices").as_deref(), Some("species"));
        assert_eq!(find("Species").as_deref(), Some("species"));
        assert_eq!(find("petal_width (cm)").as_deref(), Some("petal width (cm)"));
        assert_eq!(find("price"), None);
        assert_eq!(nearest("c", ["a", "b"].into_iter()), None);
        assert_eq!(did_you_mean("spices", names.into_iter()), " (did you mean \"species\"?)");
        assert_eq!(did_you_mean("price", names.into_iter()), "");
    }
}
