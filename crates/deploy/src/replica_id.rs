//! What the instances of one release are called: the first has the release's id (`r7`), further ones have a
//! number behind it (`r7.2`, `r7.3`).

/// Instances of a release at most: more than a machine has use for, and few enough that choosing one of them
/// costs a request nothing.
pub const REPLICAS_MAX: u32 = 32;

/// The id of a release's instance, by its place, which begins with 0.
pub(crate) fn replica_id(release: &str, place: usize) -> String {
    if place == 0 { release.to_owned() } else { format!("{release}.{}", place + 1) }
}

/// The ids of all of a release's instances.
pub(crate) fn replica_ids(release: &str, replicas: u32) -> impl Iterator<Item = String> {
    (0..replicas.clamp(1, REPLICAS_MAX) as usize).map(move |place| replica_id(release, place))
}

/// The release that an instance belongs to.
pub(crate) fn release_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(release, _number)| release)
}

/// The place of an instance in its release, beginning with 0.
pub(crate) fn place_of(id: &str) -> u32 {
    let number = id.split_once('.').and_then(|(_release, number)| number.parse::<u32>().ok());
    number.map_or(0, |number| number.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_release_and_place() {
        let ids: Vec<String> = replica_ids("r7", 3).collect();
        assert_eq!(ids, ["r7", "r7.2", "r7.3"]);
        assert!(ids.iter().all(|id| release_of(id) == "r7"));
        assert_eq!(ids.iter().map(|id| place_of(id)).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(replica_ids("r1", 0).count(), 1);
        assert_eq!(replica_ids("r1", u32::MAX).count(), REPLICAS_MAX as usize);
    }
}
