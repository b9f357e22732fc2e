//! Text to columns: `CountVectorizer`, `TfidfVectorizer`, `TfidfTransformer`, `HashingVectorizer`.

use std::collections::HashMap;

use super::data::{Column, Missing, Sparse, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use super::tokens::Analyzer;
use crate::python::Value;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("CountVectorizer TfidfVectorizer HashingVectorizer", |fields, _| {
        vectorizer(fields)
    })
    .note("words, characters, runs, stop words, patterns without `\\b`"),
    Reader::new("TfidfTransformer", |fields, _| weights(fields)),
];

/// Terms of one vocabulary; word and character n-grams of large corpora stay below.
const TERMS_MAX: usize = 50_000_000;

/// How a term finds its column.
#[derive(Debug)]
enum Terms {
    Vocabulary {
        places: HashMap<String, u32>,
        columns: usize,
    },
    /// Murmur hash, modulo the number of columns; with signs the hash's own.
    Hash {
        columns: u32,
        signs: bool,
    },
}

impl Terms {
    /// Column and what one occurrence counts.
    fn place(&self, term: &str) -> Option<(u32, f64)> {
        match self {
            Self::Vocabulary { places, .. } => places.get(term).map(|&place| (place, 1.0)),
            Self::Hash { columns, signs } => {
                let hash = murmur3(term.as_bytes()) as i32;
                let sign = if *signs && hash < 0 { -1.0 } else { 1.0 };
                Some((hash.unsigned_abs() % columns.max(&1), sign))
            }
        }
    }

    fn columns(&self) -> usize {
        match self {
            Self::Vocabulary { columns, .. } => *columns,
            Self::Hash { columns, .. } => *columns as usize,
        }
    }
}

/// MurmurHash3 of 32 bits with seed 0 (Appleby; the constants are its definition).
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, word| {
        (hash ^ mix(u32::from_le_bytes(*word)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    if !tail.is_empty() {
        let word = tail.iter().rev().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        hash ^= mix(word);
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Documents to counts of terms, perhaps weighted.
#[derive(Debug)]
struct Vectorizer {
    analyzer: Analyzer,
    terms: Terms,
    binary: bool,
    weights: Option<Weights>,
}

fn vectorizer(fields: Fields<'_>) -> Result<Boxed> {
    let analyzer = Analyzer::read(fields)?;
    let weights = match fields.name() {
        "TfidfVectorizer" => Some(Weights::read(Fields(fields.value("_tfidf")?))?),
        "HashingVectorizer" => {
            Some(Weights { idf: None, norm: Norm::read(fields)?, sublinear: false })
        }
        _ => None,
    };
    let terms = if fields.name() == "HashingVectorizer" {
        let columns =
            u32::try_from(fields.count("n_features")?).ok().filter(|&columns| columns > 0);
        let columns = columns.ok_or_else(|| fields.malformed("n_features is out of range"))?;
        Terms::Hash { columns, signs: fields.flag("alternate_sign", true) }
    } else {
        vocabulary(fields)?
    };
    if let Some(Weights { idf: Some(idf), .. }) = &weights
        && idf.len() != terms.columns()
    {
        return Err(fields.malformed(format!(
            "{} weights for {} terms",
            idf.len(),
            terms.columns()
        )));
    }
    Ok(Box::new(Vectorizer { analyzer, terms, binary: fields.flag("binary", false), weights }))
}

fn vocabulary(fields: Fields<'_>) -> Result<Terms> {
    let entries = fields.value("vocabulary_")?.entries();
    let entries = entries.ok_or_else(|| fields.malformed("vocabulary_ is no dict"))?;
    if entries.len() > TERMS_MAX {
        return Err(fields.malformed(format!("more than {TERMS_MAX} terms")));
    }
    let columns = entries.len();
    let mut places = HashMap::with_capacity(columns);
    for (term, place) in entries {
        let place = place.int().filter(|&place| (0..columns as i64).contains(&place));
        match (term.text(), place) {
            (Some(term), Some(place)) => places.insert(term.to_owned(), place as u32),
            _ => return Err(fields.malformed("vocabulary_ is no dict of terms and columns")),
        };
    }
    Ok(Terms::Vocabulary { places, columns })
}

impl Estimator for Vectorizer {
    fn transform(&self, x: Table) -> Result<Table> {
        if x.width() != 1 {
            return Err(Error::Input(format!(
                "the model takes one column of text, the input has {} columns",
                x.width()
            )));
        }
        let documents = match x.column(0)? {
            Column::Text(documents) => documents,
            // A column without a text is typed as numbers.
            Column::Numbers(values) if values.iter().all(|x| x.is_nan()) => {
                vec![None; values.len()]
            }
            _ => {
                return Err(Error::Input(format!(
                    "column {:?} holds numbers where the model takes text",
                    x.name(0)
                )));
            }
        };
        let mut counts = Sparse::new(self.terms.columns());
        let mut row: HashMap<u32, f64> = HashMap::new();
        for (number, document) in documents.iter().enumerate() {
            let Some(document) = document else {
                return Err(Error::Input(format!(
                    "column {:?}, row {number}: missing where the model takes text",
                    x.name(0)
                )));
            };
            row.clear();
            self.analyzer.each_term(document, &mut |term| {
                if let Some((place, count)) = self.terms.place(term) {
                    *row.entry(place).or_insert(0.0) += count;
                }
            });
            let mut sorted: Vec<(u32, f64)> = row.drain().collect();
            sorted.sort_unstable_by_key(|(place, _)| *place);
            if self.binary {
                for (_, count) in &mut sorted {
                    *count = 1.0;
                }
            }
            counts.push_row(sorted)?;
        }
        if let Some(weights) = &self.weights {
            weights.apply(&mut counts);
        }
        Ok(Table::Sparse(counts))
    }

    fn size_bytes(&self) -> usize {
        match &self.terms {
            // A term of ten letters, its place and the slots of the table.
            Terms::Vocabulary { places, .. } => places.len() * 64,
            Terms::Hash { .. } => 0,
        }
    }

    fn takes_frame(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Copy)]
enum Norm {
    None,
    L1,
    L2,
}

impl Norm {
    /// Zero where rows are not divided.
    fn of(self, values: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::None => 0.0,
            Self::L1 => values.map(f64::abs).sum(),
            Self::L2 => values.map(|x| x * x).sum::<f64>().sqrt(),
        }
    }

    fn read(fields: Fields<'_>) -> Result<Self> {
        Ok(match fields.optional("norm").map(Value::text) {
            None => Self::None,
            Some(Some("l1")) => Self::L1,
            Some(Some("l2")) => Self::L2,
            Some(other) => return Err(fields.unsupported(format!("norm {other:?}"))),
        })
    }
}

/// `TfidfTransformer`
#[derive(Debug)]
struct Weights {
    idf: Option<Vec<f64>>,
    norm: Norm,
    sublinear: bool,
}

fn weights(fields: Fields<'_>) -> Result<Boxed> {
    Ok(Box::new(Weights::read(fields)?))
}

impl Weights {
    fn read(fields: Fields<'_>) -> Result<Self> {
        let idf = if !fields.flag("use_idf", true) {
            None
        } else if let Some(idf) = fields.optional_numbers("idf_")? {
            Some(idf)
        } else {
            // Until 1.4 the weights were the diagonal of a sparse matrix.
            let diagonal = fields.value("_idf_diag")?;
            let data = diagonal.get("data").and_then(super::estimator::numbers);
            Some(data.ok_or_else(|| fields.malformed("_idf_diag holds no numbers"))?)
        };
        Ok(Self { idf, norm: Norm::read(fields)?, sublinear: fields.flag("sublinear_tf", false) })
    }

    fn apply(&self, counts: &mut Sparse) {
        for row in 0..counts.rows() {
            for (place, count) in counts.row_mut(row) {
                if self.sublinear {
                    *count = count.ln() + 1.0;
                }
                if let Some(weight) = self.idf.as_ref().and_then(|idf| idf.get(place as usize)) {
                    *count *= weight;
                }
            }
            let norm = self.norm.of(counts.row(row).map(|(_, value)| value));
            if norm != 0.0 {
                counts.row_mut(row).for_each(|(_, value)| *value /= norm);
            }
        }
    }
}

impl Estimator for Weights {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_numbers(Missing::Refused)?;
        let mut counts = match x {
            Table::Sparse(counts) => counts,
            other => Sparse::from_matrix(&*other.finite()?)?,
        };
        if self.idf.as_ref().is_some_and(|idf| idf.len() != counts.columns) {
            return Err(Error::Input(format!(
                "{} columns are not what the model takes",
                counts.columns
            )));
        }
        self.apply(&mut counts);
        Ok(Table::Sparse(counts))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn murmur_hashes_are_those_of_its_reference() {
        // Verified against sklearn.utils.murmurhash3_32 (seed 0, unsigned).
        for (text, hash) in
            [("", 0), ("a", 1_009_084_850), ("hello", 613_153_351), ("hello world", 1_586_663_183)]
        {
            assert_eq!(super::murmur3(text.as_bytes()), hash, "{text:?}");
        }
    }
}
