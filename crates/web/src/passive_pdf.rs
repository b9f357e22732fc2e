//! PDF files that do nothing: no scripts, no forms that are sent, nothing that is launched or embedded.
//!
//! Browsers show no PDF within a sandbox, and run the scripts of one that is outside: their dialogs open over our page. So a
//! file is shown within a page where nothing in it can act, and is a download otherwise. A reader of PDF files forgives a
//! lot, so this is none: all names are looked for, wherever they stand, also in what is packed; what could hide one is
//! refused.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::bufread::ZlibDecoder;

/// Largest file that is looked through.
pub(crate) const BYTES_MAX: usize = 8 << 20;
/// Bytes of what is packed in it, of all together; and bytes that are read for that, as one stream may lie within another.
const UNPACKED_MAX: u64 = 32 << 20;
const READ_MAX: usize = 64 << 20;
/// Places where something packed may begin, and bytes to the end of a line there.
const STARTS_MAX: usize = 20_000;
const LINE_MAX: usize = 1_024;

/// Names of what acts, and of files within the file. Links that are clicked on are none.
static ACTS: [&[u8]; 16] = [
    b"JS",
    b"JavaScript",
    b"AA",
    b"Launch",
    b"SubmitForm",
    b"ImportData",
    b"GoToR",
    b"GoToE",
    b"Named",
    b"Rendition",
    b"RichMedia",
    b"Movie",
    b"Sound",
    b"XFA",
    b"EmbeddedFile",
    // Nothing of it can be read.
    b"Encrypt",
];
/// Names of tables of objects that are packed, which is where names can hide.
static PACKED: [&[u8]; 3] = [b"ObjStm", b"XRef", b"XRefStm"];
/// Names of what packs otherwise than is unpacked here.
static PACKED_OTHERWISE: [&[u8]; 9] = [
    b"Predictor",
    b"LZWDecode",
    b"LZW",
    b"ASCII85Decode",
    b"A85",
    b"ASCIIHexDecode",
    b"AHx",
    b"RunLengthDecode",
    b"RL",
];

/// Whether it can be shown; not where that is not certain.
pub(crate) fn is_passive(file: &[u8]) -> bool {
    if !file.starts_with(b"%PDF-") || file.len() > BYTES_MAX {
        return false;
    }
    let mut names = BTreeSet::new();
    note(file, &mut names);
    let Some(starts) = starts(file) else { return false };
    let (mut left, mut read_left) = (UNPACKED_MAX, READ_MAX);
    for start in starts {
        let packed = file.get(start..).unwrap_or_default();
        let packed = packed.get(..read_left).unwrap_or(packed);
        let mut decoder = ZlibDecoder::new(packed);
        let mut unpacked = Vec::new();
        // What is no such stream, or a damaged one, is read as far as it goes.
        let _damaged = decoder.by_ref().take(left + 1).read_to_end(&mut unpacked);
        let read = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
        // One that took all that was left may not have been read to its end.
        let read_rest = read_left.checked_sub(read).filter(|rest| *rest > 0);
        match left.checked_sub(unpacked.len() as u64).zip(read_rest) {
            Some((unpacked, read)) => (left, read_left) = (unpacked, read),
            None => return false,
        }
        note(&unpacked, &mut names);
    }
    let has = |some: &[&[u8]]| some.iter().any(|name| names.contains(*name));
    let hides = has(&PACKED) && has(&PACKED_OTHERWISE);
    !hides && !has(&ACTS)
}

/// Where packed streams may begin: behind the word, and behind its line; none where that is not to be known.
fn starts(file: &[u8]) -> Option<Vec<usize>> {
    const WORD: &[u8] = b"stream";
    let mut starts = Vec::new();
    for (at, _) in file.windows(WORD.len()).enumerate().filter(|(_, window)| *window == WORD) {
        let behind = at + WORD.len();
        let rest = file.get(behind..).unwrap_or_default();
        let near = rest.get(..LINE_MAX).unwrap_or(rest);
        let line = near.iter().position(|byte| *byte == b'\n');
        if line.is_none() && near.len() < rest.len() {
            return None;
        }
        let blank = near.iter().position(|byte| !is_blank(*byte)).unwrap_or(near.len());
        let line = line.map_or(blank, |end| end + 1);
        for start in BTreeSet::from([blank.min(1), blank.min(2), blank, line]) {
            // Nothing else that browsers unpack begins otherwise.
            if rest.get(start).is_some_and(|first| first & 0x0f == 8) {
                starts.push(behind + start);
            }
        }
        if starts.len() > STARTS_MAX {
            return None;
        }
    }
    Some(starts)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c' | b'\0')
}

/// Notes the names that matter, with their `#2f` read.
fn note(bytes: &[u8], names: &mut BTreeSet<&'static [u8]>) {
    let all = || ACTS.iter().chain(&PACKED).chain(&PACKED_OTHERWISE);
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let name = name(rest);
        if let Some(known) = all().find(|known| **known == name.as_slice()) {
            names.insert(*known);
        }
    }
}

/// The name that stands here; no more of a longer one than the longest that matters has.
fn name(mut rest: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 16;
    let mut name = Vec::new();
    while name.len() <= LONGEST {
        let hex = rest.get(1..3).filter(|_| rest.first() == Some(&b'#'));
        let hex = hex.and_then(|digits| std::str::from_utf8(digits).ok());
        match (hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()), rest.first()) {
            (Some(byte), _) => {
                name.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            (None, Some(byte)) if !is_blank(*byte) && !b"/<>[](){}%".contains(byte) => {
                name.push(*byte);
                rest = rest.get(1..).unwrap_or_default();
            }
            _ => break,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn with_stream(dictionary: &str, between: &str, body: &[u8]) -> Vec<u8> {
        let mut file = format!("%PDF-1.5\n4 0 obj\n<<{dictionary}>>stream{between}").into_bytes();
        file.extend_from_slice(body);
        file.extend_from_slice(b"\nendstream endobj");
        file
    }

    #[test]
    fn what_acts_is_found_wherever_it_hides() {
        assert!(is_passive(b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction[3 0 R/Fit]/Annots[<</A<</S/URI/URI(https://x)>>>>]>>"));
        for acts in [
            "/JS(x)",
            "/S/JavaScript",
            "/J#53 (x)",
            "/S /J#61vaScript",
            "/AA<<>>",
            "/Launch/",
            "/Encrypt 5 0 R",
        ] {
            assert!(!is_passive(format!("%PDF-1.4\n<<{acts}>>").as_bytes()), "{acts}");
            let hidden = packed(&format!("7 0 <<{acts}>>"));
            for between in ["\n", "\r\n", "\r", " \n", " junk\n"] {
                let file = with_stream("/Type/ObjStm/Filter/FlateDecode", between, &hidden);
                assert!(!is_passive(&file), "{acts} behind {between:?}");
            }
        }
        assert!(is_passive(b"%PDF-1.4\n<</JSX 1/AAB 2>>"), "parts of names are none");
        assert!(!is_passive(b" %PDF-1.4") && !is_passive(b"<script>"));
    }

    #[test]
    fn what_cannot_be_looked_into_is_refused() {
        let plain = packed("7 0 <</Type/Page>>");
        assert!(is_passive(&with_stream("/Type/ObjStm/Filter/FlateDecode", "\n", &plain)));
        for filter in [
            "/LZWDecode",
            "[/ASCII85Decode/FlateDecode]",
            "/FlateDecode/DecodeParms<</Predictor 12>>",
            "/AH#78",
        ] {
            let file = with_stream(&format!("/Type/ObjStm/Filter{filter}"), "\n", &plain);
            assert!(!is_passive(&file), "{filter}");
            // Pictures are packed so where no objects are.
            assert!(
                is_passive(&with_stream(&format!("/Filter{filter}"), "\n", &plain)),
                "{filter}"
            );
        }
        let bomb = packed(&"x".repeat(UNPACKED_MAX as usize + 1));
        assert!(!is_passive(&with_stream("/Filter/FlateDecode", "\n", &bomb)));
        // Nor where it would take long.
        let line = [b"%PDF-1.4 stream".as_slice(), &[b'x'; LINE_MAX + 1]].concat();
        assert!(!is_passive(&line));
        let many = [b"%PDF-1.4 ".as_slice(), &b"stream\nx".repeat(STARTS_MAX + 1)].concat();
        assert!(!is_passive(&many));
    }
}
