//! What is made up: ids, and names for runs and models that were given none (`quiet-otter-417`).

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

const QUALITIES: &[&str] = &[
    "agile", "amber", "ample", "apt", "bold", "brave", "breezy", "bright", "brisk", "calm",
    "candid", "careful", "cheery", "civil", "clean", "clear", "clever", "cosy", "crisp", "curious",
    "dapper", "daring", "deft", "eager", "early", "earnest", "easy", "fair", "fancy", "fast",
    "fearless", "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "handy",
    "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
    "lucky", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient", "placid",
    "polite", "proud", "quick", "quiet", "ready", "robust", "rugged", "serene", "sharp", "shiny",
    "silent", "smart", "smooth", "sober", "solid", "spry", "steady", "stoic", "subtle", "sunny",
    "sure", "swift", "tidy", "trusty", "upbeat", "valiant", "vivid", "warm", "wise", "witty",
    "zesty",
];

const ANIMALS: &[&str] = &[
    "ant", "badger", "bat", "bear", "beaver", "bee", "bison", "boar", "carp", "cat", "chough",
    "cod", "colt", "cow", "crab", "crane", "crow", "deer", "dingo", "dog", "dove", "duck", "eagle",
    "eel", "egret", "elk", "emu", "falcon", "ferret", "finch", "fox", "frog", "gecko", "gnu",
    "goat", "goose", "grouse", "gull", "hare", "hawk", "heron", "horse", "ibex", "jay", "kite",
    "koala", "lark", "lemur", "lion", "llama", "loon", "lynx", "mink", "mole", "moose", "moth",
    "mouse", "mule", "newt", "orca", "otter", "owl", "ox", "panda", "perch", "pika", "pony",
    "puffin", "puma", "quail", "ram", "raven", "robin", "rook", "seal", "shad", "shrew", "skunk",
    "sloth", "slug", "snail", "snipe", "sparrow", "squid", "stag", "stoat", "stork", "swan",
    "swift", "tapir", "tern", "toad", "trout", "turtle", "vole", "wasp", "whale", "wolf", "wren",
    "yak", "zebra",
];

/// A random name of a quality, an animal and a number below 1,000.
pub(crate) fn random_name() -> String {
    let mut rng = rand::rng();
    let quality = QUALITIES.choose(&mut rng).copied().unwrap_or("quiet");
    let animal = ANIMALS.choose(&mut rng).copied().unwrap_or("otter");
    let number: u16 = rng.random_range(0..1000);
    format!("{quality}-{animal}-{number}")
}

/// A random id of 32 hex digits.
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest name, as upstream's; its pages are laid out for it.
    const LENGTH_MAX: usize = 20;

    #[test]
    fn the_longest_name_fits() {
        let longest = |words: &[&str]| words.iter().map(|word| word.len()).max().unwrap();
        assert!(longest(QUALITIES) + longest(ANIMALS) + "--999".len() <= LENGTH_MAX);
    }

    #[test]
    fn has_three_parts() {
        let name = random_name();
        let parts: Vec<&str> = name.split('-').collect();
        assert_eq!(parts.len(), 3, "{name}");
        parts[2].parse::<u16>().unwrap();
    }
}
