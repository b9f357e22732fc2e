//! What a classifier sees of a text: its words, sequences of three characters, and its shape, hashed.
//!
//! Words carry topics, sequences carry languages and prefixes of codes, the shape (length, number of words,
//! share of digits, in coarse steps) what else there is. In sequences all digits are alike, because later
//! orders have later numbers. Hashes are the same in every run and on every machine.

/// Bits of a hash that are kept: features that share a place blur each other, and this many are as
/// many as the texts that are looked at have.
const BUCKET_BITS: u32 = 18;
/// Places for features.
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;
/// Characters of a text that are looked at: enough to tell what it is about, and a bound on the time.
const CHARS_MAX: usize = 300;
/// Steps of the length and the number of words for each doubling.
const STEPS_A_DOUBLING: f64 = 2.0;
/// Steps of the share of digits.
const SHARE_STEPS: f64 = 8.0;

/// Sorts of features, so that a word and a sequence of the same letters differ.
#[derive(Clone, Copy)]
enum Sort {
    Sequence = 1,
    Word,
    Length,
    Words,
    Digits,
}

/// The part of a text that is looked at.
pub(super) fn head(text: &str) -> &str {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A hash of the part of a text that is looked at (FNV-1a, mixed). It decides in which half a text is.
pub(super) fn hash(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    mix(head(text)
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The words of a text: runs of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    head(text).split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Puts the places of a text's features into `places`, each once, in order.
pub(super) fn features(text: &str, places: &mut Vec<u32>) {
    places.clear();
    let (mut digits, mut characters, mut words) = (0_u32, 0_u32, 0_u32);
    let (mut before, mut word) = ([' '; 2], 0_u64);
    for character in head(text).chars().chain([' ']) {
        characters += 1;
        let is_digit = character.is_numeric();
        digits += u32::from(is_digit);
        if character.is_alphanumeric() {
            let seen = if is_digit { '0' } else { character };
            places.push(place(Sort::Sequence, sequence(before, seen)));
            before = [before[1], seen];
            word = mix(word ^ u64::from(u32::from(character)));
        } else if word != 0 {
            places.push(place(Sort::Sequence, sequence(before, ' ')));
            places.push(place(Sort::Word, word));
            words += 1;
            (before, word) = ([' '; 2], 0);
        }
    }
    let step = |count: f64| (STEPS_A_DOUBLING * (count + 1.0).log2()).round() as u64;
    places.push(place(Sort::Length, step(text.len() as f64)));
    places.push(place(Sort::Words, step(f64::from(words))));
    let share = f64::from(digits) / f64::from(characters);
    places.push(place(Sort::Digits, (share * SHARE_STEPS).round() as u64));
    places.sort_unstable();
    places.dedup();
}

/// Three characters as one number: a character has 21 bits.
fn sequence(before: [char; 2], last: char) -> u64 {
    let [first, second] = before.map(|character| u64::from(u32::from(character)));
    (first << 42) | (second << 21) | u64::from(u32::from(last))
}

fn place(sort: Sort, value: u64) -> u32 {
    (mix(mix(value).wrapping_add(sort as u64)) >> (u64::BITS - BUCKET_BITS)) as u32
}

/// Spreads the bits of a number over all others (the finaliser of SplitMix64, S. Vigna, 2015).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<u32> {
        let mut places = Vec::new();
        features(text, &mut places);
        places
    }

    #[test]
    fn a_text_has_words_sequences_and_a_shape() {
        // Two words, their sequences (ab: " ab"... three each at most), three of shape.
        assert_eq!(of("ab cd").len(), 2 + 6 + 3);
        assert_eq!(of(""), of(""));
        assert_ne!(of("parcel late"), of("letter late"));
        let common = |a: &str, b: &str| of(a).iter().filter(|place| of(b).contains(place)).count();
        // Later numbers share all but the word of the number.
        assert_eq!(common("order 123", "order 456"), of("order 123").len() - 1);
        assert_eq!(words("AB-12, né!").collect::<Vec<_>>(), ["AB", "12", "né"]);
        assert_eq!(hash(&"x".repeat(400)), hash(&"x".repeat(500)));
    }
}
