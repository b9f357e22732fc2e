//! How CatBoost makes numbers of categories: CityHash64 of their text, in its first version (Pike and Alakuijala, 2011),
//! and of several in a row their combination.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;

/// A category's number.
pub(super) fn category(text: &str) -> i32 {
    city64(text.as_bytes()) as u32 as i32
}

/// The number of what was seen so far with one more value behind it. A category counts with its sign.
pub(super) fn combined(so_far: u64, value: i64) -> u64 {
    const FACTOR: u64 = 0x4906_ba49_4954_cb65;
    FACTOR.wrapping_mul(so_far.wrapping_add(FACTOR.wrapping_mul(value as u64)))
}

fn city64(s: &[u8]) -> u64 {
    match s.len() {
        0..=16 => up_to_16(s),
        17..=32 => up_to_32(s),
        33..=64 => up_to_64(s),
        _ => long(s),
    }
}

/// Eight bytes from a place that is there.
fn eight(s: &[u8], at: usize) -> u64 {
    let bytes = s.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn four(s: &[u8], at: usize) -> u64 {
    let bytes = s.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

fn shifted(x: u64) -> u64 {
    x ^ (x >> 47)
}

/// Two numbers in one.
fn mixed(u: u64, v: u64) -> u64 {
    const FACTOR: u64 = 0x9ddf_ea08_eb38_2d69;
    let a = shifted((u ^ v).wrapping_mul(FACTOR));
    shifted((v ^ a).wrapping_mul(FACTOR)).wrapping_mul(FACTOR)
}

fn up_to_16(s: &[u8]) -> u64 {
    let length = s.len() as u64;
    if s.len() > 8 {
        let (a, b) = (eight(s, 0), eight(s, s.len() - 8));
        return mixed(a, b.wrapping_add(length).rotate_right(s.len() as u32)) ^ b;
    }
    if s.len() >= 4 {
        return mixed(length.wrapping_add(four(s, 0) << 3), four(s, s.len() - 4));
    }
    let (Some(&a), Some(&b), Some(&c)) = (s.first(), s.get(s.len() / 2), s.last()) else {
        return K2;
    };
    let y = u64::from(a) + (u64::from(b) << 8);
    let z = length + (u64::from(c) << 2);
    shifted(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2)
}

fn up_to_32(s: &[u8]) -> u64 {
    let n = s.len();
    let a = eight(s, 0).wrapping_mul(K1);
    let b = eight(s, 8);
    let c = eight(s, n - 8).wrapping_mul(K2);
    let d = eight(s, n - 16).wrapping_mul(K0);
    let first = a.wrapping_sub(b).rotate_right(43);
    let first = first.wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let second = a.wrapping_add((b ^ K3).rotate_right(20));
    mixed(first, second.wrapping_sub(c).wrapping_add(n as u64))
}

fn up_to_64(s: &[u8]) -> u64 {
    let n = s.len();
    // A half of it, from four of its numbers and the one that it ends with.
    let half = |mut a: u64, second: u64, third: u64, z: u64| {
        let b = a.wrapping_add(z).rotate_right(52);
        let mut c = a.rotate_right(37);
        a = a.wrapping_add(second);
        c = c.wrapping_add(a.rotate_right(7));
        a = a.wrapping_add(third);
        (a.wrapping_add(z), b.wrapping_add(a.rotate_right(31)).wrapping_add(c))
    };
    let ends = (n as u64).wrapping_add(eight(s, n - 16)).wrapping_mul(K0);
    let first = eight(s, 0).wrapping_add(ends);
    let (vf, vs) = half(first, eight(s, 8), eight(s, 16), eight(s, 24));
    let first = eight(s, 16).wrapping_add(eight(s, n - 32));
    let (wf, ws) = half(first, eight(s, n - 24), eight(s, n - 16), eight(s, n - 8));
    let r = vf.wrapping_add(ws).wrapping_mul(K2);
    let r = shifted(r.wrapping_add(wf.wrapping_add(vs).wrapping_mul(K0)));
    shifted(r.wrapping_mul(K0).wrapping_add(vs)).wrapping_mul(K2)
}

/// 32 bytes from a place on, into two numbers.
fn weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let a = a.wrapping_add(eight(s, at));
    let last = eight(s, at + 24);
    let b = b.wrapping_add(a).wrapping_add(last).rotate_right(21);
    let c = a;
    let a = a.wrapping_add(eight(s, at + 8)).wrapping_add(eight(s, at + 16));
    (a.wrapping_add(last), b.wrapping_add(a.rotate_right(44)).wrapping_add(c))
}

fn long(s: &[u8]) -> u64 {
    let n = s.len();
    let mut x = eight(s, 0);
    let mut y = eight(s, n - 16) ^ K1;
    let mut z = eight(s, n - 56) ^ K0;
    let mut v = weak(s, n - 64, n as u64, y);
    let mut w = weak(s, n - 32, (n as u64).wrapping_mul(K1), K0);
    z = z.wrapping_add(shifted(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    for at in (0..(n - 1) & !63).step_by(64) {
        let sum = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(eight(s, at + 16));
        x = sum.rotate_right(37).wrapping_mul(K1);
        let sum = y.wrapping_add(v.1).wrapping_add(eight(s, at + 48));
        y = sum.rotate_right(42).wrapping_mul(K1);
        x ^= w.1;
        y ^= v.0;
        z = (z ^ w.0).rotate_right(33);
        v = weak(s, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = weak(s, at + 32, z.wrapping_add(w.1), y);
        std::mem::swap(&mut z, &mut x);
    }
    let first = mixed(v.0, w.0).wrapping_add(shifted(y).wrapping_mul(K1)).wrapping_add(z);
    mixed(first, mixed(v.1, w.1).wrapping_add(x))
}

#[cfg(test)]
mod tests {
    use super::category;

    const HASHES: [(&str, u32); 17] = [
        ("", 797982799),
        ("a", 3489901818),
        ("ab", 4090249022),
        ("abc", 978243121),
        ("abcd", 345588365),
        ("12345678", 1054993967),
        ("123456789", 1389760245),
        ("-17", 2313877035),
        ("sixteen letters!", 1409682486),
        ("seventeen letters", 3714021364),
        ("ωmega and more of it, äöü", 1809033023),
        ("thirty-two letters are in here..", 2701213527),
        ("thirty-three letters are in here!", 240621310),
        ("a name of sixty-four letters, which is quite a bit for a word ...", 2118300110),
        ("a name of sixty-five letters, which is quite a bit for a word ....", 1276131479),
        (
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
            3090776441,
        ),
        (
            "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
            147607983,
        ),
    ];

    /// What CatBoost 1.2.10 writes as the hashes of these categories.
    #[test]
    fn texts_of_each_length_have_the_numbers_of_catboost() {
        for (text, hash) in HASHES {
            assert_eq!(category(text) as u32, hash, "{text}");
        }
    }
}
